"""Dense scores made to follow the edges of the picture: a guided filter, and a CRF where its package is installed."""
