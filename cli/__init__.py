"""`dr`: the operator's command. It calls the domain, shows results on stdout and talk on stderr."""
