"""Networks of other libraries by name: `timm:NAME`, `hf:NAME`. Each library is imported when one of its networks is asked for."""
