"""Parameters of the pipeline `ablation`."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from car_retrieval.params.base import Count, Factor, Params, without_null


class Budget(Params):
    """How long each recipe of an ablation trains."""

    images: Count | None = Field(
        default=None, description="seen by each run, in whole epochs; none: `epochs` times all"
    )
    seconds: Factor | None = Field(
        default=None, description="of training, after which no further epoch begins; none: no limit"
    )


def _names(names: Any) -> Any:
    """The command line gives words where a file gives a list."""
    return names.split() if isinstance(names, str) else names


RecipeName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]
OF_ALL_RECIPES = ("epochs", "images_per_epoch", "k", "seed", "select_by", "start_epoch")


class AblationParams(Params):
    """Recipes of training against each other (`parameters_ablation.yml`)."""

    runs: Count = Field(1, description="of each recipe, with seeds from `seed` on")
    seed: Annotated[int, Field(ge=0)] = Field(7, description="of the first run")
    budget: Budget = Field(default=Budget(), description="how long each recipe trains")
    baseline: RecipeName = Field("default", description="whose quality the others are to reach")
    only: Annotated[list[RecipeName] | None, BeforeValidator(_names)] = Field(
        default=None, description="recipes to train, words or a list; none: all"
    )
    recipes: Annotated[dict[RecipeName, dict[str, Any]], BeforeValidator(without_null)] = Field(
        {"default": {}}, description="what each changes in `training`; null leaves one out"
    )

    @model_validator(mode="after")
    def _names_are_recipes(self) -> "AblationParams":
        for name in (self.baseline, *(self.only or [])):
            if name not in self.recipes:
                known = ", ".join(self.recipes)
                raise ValueError(f"there is no recipe {name!r}; choose among {known}")
        for recipe, changes in self.recipes.items():
            if fixed := [name for name in OF_ALL_RECIPES if name in changes]:
                raise ValueError(
                    f"recipes.{recipe}: {', '.join(fixed)} cannot differ between recipes"
                )
        return self
