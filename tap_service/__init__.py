"""How people ask: a TAP service (TAP 1.1) over the public views of the catalogue.

Sits on catalog alone; imports neither torch nor gaiaxpy, nor ingest or models.

    commands              kiel tap
    app, front_page       the resources under one URL, and the page for people
    address, documents    the addresses that clients use; what is made once and sent often
    parameters, limits    what a request may say, and how much it may ask for
    service, connections  what all requests share: threads, places for queries, kept connections
    answer, citations     a query's way to its document, and the papers that it names
    sync                  a request answered by a stream; a client that leaves ends its query
    jobs/                 /async: queries as jobs, run by processes of their own
    uploads/              tables that come with a query
    execute               one query, one transaction, one publication, as tap_reader
    publication_tables    a publication's TAP_SCHEMA rows as the tables that a query is resolved against
    vosi, capabilities, xml_document   /tables, /availability, /capabilities
    cone_search           /scs/{table}: Simple Cone Search on each table with positions
    datalink              /datalink/links: what there is about a source
    examples, examples_page            example queries, and where they stand
    errors                whose fault, and the HTTP status that says so
    adql/, table_set      ADQL to PostgreSQL
    names                 what a name means, and what was meant by a wrong one
    results/              binary COPY to VOTable, CSV and TSV
"""
