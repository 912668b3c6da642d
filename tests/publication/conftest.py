"""What the tests of a publication's folder and of the site share."""

from tests.publication.fixtures import *  # noqa: F403 - the fixtures that it lists
