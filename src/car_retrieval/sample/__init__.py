"""The craft that draws a miniature CompCars from a seed."""
