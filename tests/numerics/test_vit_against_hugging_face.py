"""The ViT against Hugging Face's with the same weights; and timm's names and shapes."""

import pytest
import torch
from transformers import ViTConfig as TheirConfig
from transformers import ViTForImageClassification

from fittingroom.models.layers.attention import capture_attention
from fittingroom.models.vit import VisionTransformer, ViTConfig


def theirs_from(ours: VisionTransformer) -> ViTForImageClassification:
    """Hugging Face's model of the same shape with our weights."""
    config = ours.config
    model = ViTForImageClassification(
        TheirConfig(
            hidden_size=config.embed_dim, num_hidden_layers=config.depth, num_attention_heads=config.num_heads,
            intermediate_size=int(config.embed_dim * config.mlp_ratio), image_size=config.img_size,
            patch_size=config.patch_size, num_channels=config.in_chans, num_labels=config.num_classes,  # type: ignore[call-arg]
            layer_norm_eps=1e-6, hidden_act="gelu", attn_implementation="eager",  # type: ignore[call-arg]
        )
    )  # fmt: skip
    model.load_state_dict({name: find(ours, name) for name in model.state_dict()})
    return model.eval()


def find(ours: VisionTransformer, name: str) -> torch.Tensor:
    """Our tensor for their `name`. Matching works with the names of old and new releases."""
    state = ours.state_dict()
    kind = name.rsplit(".", 1)[-1]
    outside = {
        "cls_token": "cls_token", "position_embeddings": "pos_embed", "patch_embeddings.projection": "patch_embed.proj",
        "vit.layernorm": "norm", "classifier": "head",
    }  # fmt: skip
    for theirs, own in outside.items():
        if theirs in name:
            return state[own] if own in state else state[f"{own}.{kind}"]
    layer = next(part for part in name.split(".") if part.isdigit())
    thirds: dict[str, torch.Tensor] = dict(
        zip(("q", "k", "v"), state[f"blocks.{layer}.attn.qkv.{kind}"].chunk(3), strict=True)
    )
    for part in ("query", "key", "value", "q_proj", "k_proj", "v_proj"):
        if f".{part}." in name:
            return thirds[part[0]]
    inside = {
        "layernorm_before": "norm1", "layernorm_after": "norm2", "attention.output.dense": "attn.proj", "o_proj": "attn.proj",
        "intermediate.dense": "mlp.fc1", "mlp.fc1": "mlp.fc1", "output.dense": "mlp.fc2", "mlp.fc2": "mlp.fc2",
    }  # fmt: skip
    return next(state[f"blocks.{layer}.{own}.{kind}"] for theirs, own in inside.items() if theirs in name)


@pytest.mark.parametrize(
    "config",
    [
        ViTConfig(pool="cls", positions="learned"),
        ViTConfig(pool="cls", positions="learned", img_size=32, patch_size=8, in_chans=3, embed_dim=48, num_heads=6),
        ViTConfig(pool="cls", positions="learned", patch_size=14, depth=1, embed_dim=8, num_heads=1, mlp_ratio=2.0),
    ],
    ids=["28x28", "32x32 colour", "tiny"],
)  # fmt: skip
def test_logits_and_attention_are_theirs(config: ViTConfig) -> None:
    torch.manual_seed(0)
    ours = VisionTransformer(config).eval()
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    images = torch.randn(3, config.in_chans, *config.image_size)
    with torch.no_grad(), capture_attention(ours) as weights:
        logits = ours(images)
        expected = theirs_from(ours)(images, output_attentions=True)
    torch.testing.assert_close(logits, expected.logits, rtol=0, atol=1e-4)
    for number, theirs in enumerate(expected.attentions):
        torch.testing.assert_close(weights[f"blocks.{number}.attn"][0], theirs, rtol=0, atol=1e-5)


def test_names_and_shapes_are_timms() -> None:
    state = VisionTransformer(ViTConfig(pool="cls", positions="learned", depth=1, embed_dim=32)).state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == {
        "cls_token": (1, 1, 32),
        "pos_embed": (1, 50, 32),
        "patch_embed.proj.weight": (32, 1, 4, 4),
        "patch_embed.proj.bias": (32,),
        "blocks.0.norm1.weight": (32,),
        "blocks.0.norm1.bias": (32,),
        "blocks.0.attn.qkv.weight": (96, 32),
        "blocks.0.attn.qkv.bias": (96,),
        "blocks.0.attn.proj.weight": (32, 32),
        "blocks.0.attn.proj.bias": (32,),
        "blocks.0.norm2.weight": (32,),
        "blocks.0.norm2.bias": (32,),
        "blocks.0.mlp.fc1.weight": (128, 32),
        "blocks.0.mlp.fc1.bias": (128,),
        "blocks.0.mlp.fc2.weight": (32, 128),
        "blocks.0.mlp.fc2.bias": (32,),
        "norm.weight": (32,),
        "norm.bias": (32,),
        "head.weight": (10, 32),
        "head.bias": (10,),
    }
