"""OpenAPI 3.x and Swagger 2 documents: a request for each operation, with what the document says of logins and ids."""
