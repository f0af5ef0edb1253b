"""Tables that come with a query (TAP 1.1 section 2.5): a VOTable in the request or at an address becomes TAP_UPLOAD.name.

upload             what UPLOAD asks for: table names, and where each VOTable is
multipart          a multipart body as (name, value) pairs and files
"""
