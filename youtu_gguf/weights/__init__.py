"""Looking at model files and making other ones: plan, inspect, slim, quantize, synthetic."""
