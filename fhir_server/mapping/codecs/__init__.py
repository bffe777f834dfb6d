"""How single values are read and written, one file a family. See docs/decisions/0002-mapping-language.md."""
