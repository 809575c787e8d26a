"""How real registries differ from the specification, as switches of the embedded one."""

from __future__ import annotations

from typing import Final, Literal

import attrs


@attrs.frozen(kw_only=True)
class LoopbackQuirks:
    """Switches of the embedded registry; the defaults are the specification.

    Attributes:
        mounts: ``no`` opens a session instead, ``refused`` answers 405 (OCI-4.3).
        anonymous_mounts: A mount without ``from`` looks in every repository (OCI-4.4).
        single_post: What becomes of a POST with ``digest=`` and a body (OCI-4.8).
        content_range: ``lax`` takes any offset (OCI-4.15).
        range_header: ``stuck`` never tells more than the first piece (OCI-4.14).
        location: Form of an upload's Location (OCI-4.11).
        uploads: ``beside`` lets uploads go on under a path outside of ``/v2/``, as Google does.
        stale_location: An older Location answers 404 BLOB_UPLOAD_INVALID (OCI-4.12).
        chunked_requests: Bodies without a length are taken; else 411 (OCI-4.10).
        max_body_bytes: Longer bodies get 413, or None (OCI-4.24).
        min_chunk_bytes: Announced as OCI-Chunk-Min-Length, if not 0 (OCI-4.13).
        commit_digest: Which digest the answer to a commit names (OCI-4.19).
        sha512: ``renamed`` checks it and stores under sha256, ``refused`` answers 400.
        odd_patch_type: Status for a PATCH that is no octet stream (OCI-7.4).
        ranges: Ranges of blobs are served; else the whole with 200 (OCI-4.31).
        unsatisfiable_range: ``lies`` announces the blob's length before a short text (OCI-4.32),
            ``whole`` answers 200 with everything.
        backward_range: Status for a range that ends before it starts.
        redirects: Blobs come from ``/storage`` of this host or another one (OCI-4.26).
        redirect_seconds: How long such an address is good.
        heads: HEAD is answered; else 405 (OCI-3.9).
        digest_header: Docker-Content-Digest is sent.
        accept_sensitive: A manifest of a type that is not accepted is 404 (OCI-3.2).
        content_length: Answers carry a length; else they are chunked (OCI-4.28).
        content_encoding: Content-Encoding that blobs are labelled with, or empty (OCI-4.29).
        max_manifest_bytes: The largest manifest taken (OCI-3.11).
        large_manifest_status: Status for one that is larger.
        bad_digests: What a manifest's malformed digest is; ``tags`` takes it for a tag.
        missing_children: An index is taken although children of it are lacking (OCI-3.21).
        missing_blobs: A manifest is taken although blobs of it are lacking.
        foreign_layers: Layers that may not be distributed need not be there (OCI-3.19).
        pages: Form of the Link header (OCI-5.1 to 5.3); ``none`` ignores ``n`` and ``last``.
        max_page: The most entries of a page, or None.
        large_page_status: Status for a larger ``n``; 200 clamps it (OCI-5.4).
        tags: Shape of a tag list (OCI-5.5).
        sorted_tags: Tags come in order.
        untagged_list_status: Status of the tag list of a repository that has none but exists.
        tag_deletion: Status of deleting a tag; 202 does it (OCI-5.8).
        catalog: The catalog is served (OCI-8.2).
        referrers: ``json_404``, ``text_404`` and ``html`` are registries without (OCI-6.1).
        subject_header: Whether OCI-Subject is sent on a push (OCI-6.8).
        fallback_race: The first write of each fallback tag is undone by somebody (OCI-6.9).
        tag_parameters: ``PUT manifests/<digest>?tag=`` sets tags (OCI-5.10).
        challenges: ``several`` in one line, or ``bare`` for a 401 without any (OCI-2.1, 2.3).
        realm: Sent instead of the own token server's address, relative or absolute, or empty.
        token_post: The token server takes POST; else 404 (OCI-2.7).
        wrong_password: Status for one; 200 gives a token that allows nothing.
        expires_in: The token server tells how long a token is good (OCI-2.8).
        issued_at_skew: Seconds its clock is ahead of the real one (OCI-2.9).
        warnings: Texts sent in Warning headers (OCI-8.1).
        cookies: Every answer sets a cookie (OCI-9.13).
    """

    mounts: Literal["yes", "no", "refused"] = "yes"
    anonymous_mounts: bool = True
    single_post: Literal["stored", "ignored", "refused"] = "stored"
    content_range: Literal["strict", "lax"] = "strict"
    range_header: Literal["true", "stuck"] = "true"
    location: Literal["absolute", "relative", "query", "other_host", "http"] = "relative"
    uploads: Literal["v2", "beside"] = "v2"
    stale_location: bool = False
    chunked_requests: bool = True
    max_body_bytes: int | None = None
    min_chunk_bytes: int = 0
    commit_digest: Literal["asked", "sha256", "wrong"] = "asked"
    sha512: Literal["stored", "renamed", "refused"] = "stored"
    odd_patch_type: Literal[202, 500] = 202
    ranges: bool = True
    unsatisfiable_range: Literal["true", "lies", "whole"] = "true"
    backward_range: Literal[200, 416] = 416
    redirects: Literal["no", "same_host", "other_host"] = "no"
    redirect_seconds: float = 300.0
    heads: bool = True
    digest_header: bool = True
    accept_sensitive: bool = False
    content_length: bool = True
    content_encoding: str = ""
    max_manifest_bytes: int = 4 * 2**20  # OCI-3.11: the least a registry must take
    large_manifest_status: Literal[400, 413] = 413
    bad_digests: Literal["refused", "tags"] = "refused"
    missing_children: bool = False
    missing_blobs: bool = False
    foreign_layers: bool = True
    pages: Literal["relative", "absolute", "bare", "loop", "other_host", "none"] = "relative"
    max_page: int | None = None
    large_page_status: Literal[200, 400] = 200
    tags: Literal["list", "null", "with_nulls", "with_digests"] = "list"
    sorted_tags: bool = True
    untagged_list_status: Literal[200, 404] = 200
    tag_deletion: Literal[202, 400, 405] = 202
    catalog: bool = True
    referrers: Literal["api", "json_404", "text_404", "html"] = "api"
    subject_header: Literal["true", "absent", "lying"] = "true"
    fallback_race: bool = False
    tag_parameters: bool = True
    challenges: Literal["one", "several", "bare"] = "one"
    realm: str = ""
    token_post: bool = True
    wrong_password: Literal[200, 401] = 401
    expires_in: bool = True
    issued_at_skew: float = 0.0
    warnings: tuple[str, ...] = ()
    cookies: bool = False

    @property
    def needs_other_host(self) -> bool:
        """Whether a second address is wanted for something to point to."""
        return "other_host" in {self.redirects, self.location, self.pages}


# What Debian's docker-registry 2.8.2 was seen to do (filesystem driver, no auth).
_DISTRIBUTION_2_8: Final = LoopbackQuirks(
    anonymous_mounts=False,  # OCI-4.4: answers 202
    single_post="ignored",  # OCI-4.8: answers 202, the body is gone
    content_range="lax",  # OCI-4.15: takes any offset
    location="absolute",
    stale_location=True,  # OCI-4.12: the state is signed into the Location
    sha512="renamed",  # OCI-4.19: takes it and answers with the sha256
    odd_patch_type=500,  # OCI-7.4
    unsatisfiable_range="lies",  # OCI-4.32
    accept_sensitive=True,  # OCI-3.2
    large_manifest_status=400,  # OCI-3.11
    bad_digests="tags",  # conformance suite: PUT manifests/sha256:baddigeststring is 201
    foreign_layers=False,  # conformance suite: non-distributable layers must be there
    pages="none",  # OCI-5.4: ignores n, and last by the conformance suite
    sorted_tags=False,  # OCI-5.4
    tags="null",  # OCI-5.5: after all were deleted
    tag_deletion=400,  # OCI-5.8
    referrers="text_404",  # OCI-6.8
    tag_parameters=False,  # DS+ only
)

# distribution v3.1.2, by its handlers and the conformance suite's verdicts.
_DISTRIBUTION_3: Final = LoopbackQuirks(
    anonymous_mounts=False,
    single_post="ignored",  # OCI-4.8
    location="absolute",
    stale_location=True,  # OCI-4.12
    sha512="renamed",  # OCI-4.19
    odd_patch_type=500,
    accept_sensitive=True,  # OCI-3.2
    large_manifest_status=400,  # OCI-3.11
    foreign_layers=False,
    max_page=1000,  # OCI-5.4: clamps
    referrers="text_404",
    tag_parameters=False,
)

#: Switches by the name of the server that has them so.
PROFILES: Final = {
    "default": LoopbackQuirks(),
    "distribution-2.8": _DISTRIBUTION_2_8,
    "distribution-3": _DISTRIBUTION_3,
}
