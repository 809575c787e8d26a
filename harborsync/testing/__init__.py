"""What embedders and plug-in authors test with: an embedded registry, a fake clock, contracts."""
