"""What Label Studio's protocol needs: its labelling setups, its regions, its masks, and its images."""
