"""Ways of granting a wish, one module each; grant.py chooses among them."""
