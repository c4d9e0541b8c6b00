"""Explorables: pictures that answer while a control moves; one module per chapter.

`from companion.explorables import architecture as explore`.  Each has a pure function
`compute_NAME(**state) -> data`, which can be called and tested without a browser, and a thin view.
"""
