"""The viewer: a page in the browser, and the REST interface under it."""
