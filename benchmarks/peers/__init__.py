"""Programs that run other tools in environments of their own. They import nothing of this project; run them by path."""
