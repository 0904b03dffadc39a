"""What the screens show, without a terminal: stores, listings, counts. Nothing here knows Textual."""
