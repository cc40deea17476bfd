"""What can go wrong between a file and a passage.

    RetrievalError
    ├── DocumentRefused           the file itself: its `code` says which rule it broke
    │   ├── EmptyFile             code "empty_file"
    │   ├── FileTooLarge          code "file_too_large"
    │   ├── UnsupportedFormat     code "unsupported_format"     (by content, not by name)
    │   ├── EncryptedFile         code "encrypted_file"
    │   ├── DamagedFile           code "damaged_file"
    │   ├── TooManyPages          code "too_many_pages"
    │   ├── NoText                code "no_text"                (images only: not indexed as empty)
    │   └── ParseLimit            code "parse_limit"            (time or memory of the child process)
    ├── DocumentNotFound          code "document_not_found"     (also when the scope may not see it)
    ├── IndexDamaged              code "index_damaged"          (a snapshot that does not match its manifest)
    ├── StoreUnavailable          code "store_unavailable"      (a vector store on another machine)
    └── StorageFull               code "storage_full"

Each error says what happened in `message` and what the reader can do about it in `remedy`; neither holds document
text or server paths, since both are shown to users.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "DamagedFile",
    "DocumentNotFound",
    "DocumentRefused",
    "EmptyFile",
    "EncryptedFile",
    "FileTooLarge",
    "IndexDamaged",
    "NoText",
    "ParseLimit",
    "RetrievalError",
    "StorageFull",
    "StoreUnavailable",
    "TooManyPages",
    "UnsupportedFormat",
]


class RetrievalError(Exception):
    """Root of all errors that this package raises."""

    code: ClassVar[str] = "retrieval"

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class DocumentRefused(RetrievalError):
    """A file cannot become passages; nothing of it was indexed."""

    code = "document_refused"


class EmptyFile(DocumentRefused):
    """The file has no bytes."""

    code = "empty_file"


class FileTooLarge(DocumentRefused):
    """The file has more bytes than the limit."""

    code = "file_too_large"


class UnsupportedFormat(DocumentRefused):
    """The content is none of the formats that are read, whatever the name says."""

    code = "unsupported_format"


class EncryptedFile(DocumentRefused):
    """The file asks for a password."""

    code = "encrypted_file"


class DamagedFile(DocumentRefused):
    """The file begins like its format and then breaks it."""

    code = "damaged_file"


class TooManyPages(DocumentRefused):
    """The document has more pages than the limit."""

    code = "too_many_pages"


class NoText(DocumentRefused):
    """The pages are images without a text layer."""

    code = "no_text"


class ParseLimit(DocumentRefused):
    """The parser ran past its time or memory and was stopped."""

    code = "parse_limit"


class DocumentNotFound(RetrievalError):
    """No such document, or none that the scope may see: the two are not told apart."""

    code = "document_not_found"


class IndexDamaged(RetrievalError):
    """An index snapshot does not match its manifest; it is rebuilt from the catalog."""

    code = "index_damaged"


class StorageFull(RetrievalError):
    """No space is left where documents are kept."""

    code = "storage_full"


class StoreUnavailable(RetrievalError):
    """The vector store that runs apart from the service cannot be used."""

    code = "store_unavailable"
