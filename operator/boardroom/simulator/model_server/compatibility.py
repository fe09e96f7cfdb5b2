"""Whether an adapter fits the base model, as far as their names tell."""

from boardroom.adapters.families import architecture


def incompatibility(adapter_id: str, trained_on: str | None, model_id: str) -> str | None:
    """Return LoRAX's message for an adapter of another architecture; None if the adapter would load.

    As in LoRAX, an adapter loads that names no base model, or another model of the same architecture. An unknown
    architecture counts as another one, while LoRAX accepts it if it can't reach the hub.
    """
    if not trained_on or trained_on == model_id:
        return None
    theirs, ours = architecture(trained_on), architecture(model_id)
    if theirs is not None and theirs == ours:
        return None
    return (
        f"Adapter '{adapter_id}' is not compatible with model '{model_id}'. "
        f"Architectures differ: {[theirs or trained_on]} != {[ours or model_id]}. "
        f"Use --model-id '{trained_on}' instead."
    )
