"""``magnetcast review ...``: what watchers found, for a person to accept or reject."""

from cyclopts import App

review = App(name="review", help="See, accept or reject documents that may be policy events.")
