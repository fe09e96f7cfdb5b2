"""Does an adapter fit the base model, as far as names tell?"""

from boardroom.adapters.families import architecture


def incompatibility(adapter_id: str, trained_on: str | None, model_id: str) -> str | None:
    """LoRAX's complaint about an adapter of another architecture; None when it would load.

    Like LoRAX, an adapter that names no base model, or another model of the same architecture, is taken. Unlike
    LoRAX, which assumes the best when it can't reach the hub, an unknown architecture counts as another one.
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
