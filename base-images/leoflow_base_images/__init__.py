"""The recipes of the slim base images, as data: one TOML file for each Python minor version.

What a recipe's keys mean is said in the recipe; how one is made real is the builder's business.
"""
