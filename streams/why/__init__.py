"""Why, and why not, asked of a worker that holds the market: the page, its JSON, and the command."""
