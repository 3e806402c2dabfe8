"""Dense scores made to follow the edges of the image: a guided filter, and a CRF where its package is installed."""
