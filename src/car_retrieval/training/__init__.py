"""How a network is trained: losses, samplers, augmentation, optimizer, validation."""
