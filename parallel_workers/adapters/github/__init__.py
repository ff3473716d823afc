"""Pull requests on GitHub and GitHub Enterprise Server, through PyGithub."""
