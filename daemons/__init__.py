"""The six daemon roles and the keeper. Nothing is imported here: plugin workers start from this package."""
