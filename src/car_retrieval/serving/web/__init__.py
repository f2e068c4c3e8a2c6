"""Web service and page for search by photo; requires the extra `serve`."""
