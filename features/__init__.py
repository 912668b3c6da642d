"""From known rows to a model frame.

Public: ``asof`` (the leak guard), ``evidence`` (the panel of every month), ``build`` (features of
a forecast origin), ``catalogue`` (what each feature is). Private: ``statements``, ``system``,
``solver``, ``months``, and one file a feature family.
"""
