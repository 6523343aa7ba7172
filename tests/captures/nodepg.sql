--@ {}
show search_path
