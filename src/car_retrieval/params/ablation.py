"""Parameters of the pipeline `ablation`."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from car_retrieval.params.base import Count, Factor, Params, without_null


class Budget(Params):
    """Training budget of each recipe of an ablation."""

    images: Count | None = Field(
        description="training images per run, in whole epochs; null: `training.epochs` times all",
    )
    seconds: Factor | None = Field(
        description="training time after which no further epoch starts; null: no limit",
    )


def _names(names: Any) -> Any:
    """Split the words of a command line; a file has a list already."""
    return names.split() if isinstance(names, str) else names


RecipeName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]
OF_ALL_RECIPES = (
    *("epochs", "passes_per_epoch", "images_per_epoch"),
    *("k", "seed", "select_by", "start_epoch"),
)


class AblationParams(Params):
    """Comparison of training recipes (`parameters_ablation.yml`)."""

    runs: Count = Field(description="runs per recipe, with seeds `seed`, `seed` + 1, …")
    seed: Annotated[int, Field(ge=0)] = Field(description="random seed of the first run")
    budget: Budget = Field(description="training budget of each recipe")
    baseline: RecipeName = Field(description="recipe that the others are compared with")
    only: Annotated[list[RecipeName] | None, BeforeValidator(_names)] = Field(
        description="recipes to train, as words or a list; null: all"
    )
    recipes: Annotated[dict[RecipeName, dict[str, Any]], BeforeValidator(without_null)] = Field(
        description="changes of `training` by recipe; null removes one"
    )

    @model_validator(mode="after")
    def _names_are_recipes(self) -> "AblationParams":
        for name in (self.baseline, *(self.only or [])):
            if name not in self.recipes:
                known = ", ".join(self.recipes)
                raise ValueError(f"no recipe {name!r}; choose from {known}")
        for recipe, changes in self.recipes.items():
            if fixed := [name for name in OF_ALL_RECIPES if name in changes]:
                raise ValueError(
                    f"recipes.{recipe}: {', '.join(fixed)} cannot differ between recipes"
                )
        return self
