"""What `imageloom browse` serves: a page, and what the page asks for.

::

    browser ── GET /TOKEN/... ──> server ──> site ──> data          which files there are, by class
      page.html, page.css,                     ├────> pictures      thumbnails, with bounded memory
      page.js                                  ├────> augmenting    versions, and the call for them
                                               └────> inspection    what `imageloom inspect` finds

The server knows nothing of images, and the rest knows nothing of HTTP. Everything is read-only: a
request names a file of the data set by its number, and never by a path.
"""
