"""What a checkpoint's processor does, from its files alone: text, template and pictures; no torch.

The engine's way from a conversation to a prompt. transformers' processors do the same, and more,
but take seconds to import. These modules do what they know exactly as transformers does, and
refuse a folder that asks for anything else: such a folder is prepared by transformers.
"""
