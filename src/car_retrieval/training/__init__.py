"""Training: losses, samplers, augmentation, optimizer, validation."""
