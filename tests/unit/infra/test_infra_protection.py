"""Field protection: round trips, contexts, rotation, the key file, tokens, masks."""

from __future__ import annotations

import base64
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import PermanentError
from infra.protection import FieldCipher, FieldProtector, mask_id_no, mask_name, mask_phone
from infra.settings import load_settings

CIPHERS: list[FieldCipher] = list(get_args(FieldCipher))
texts = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.fixture(scope="module", params=CIPHERS)
def protector(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FieldProtector:
    return FieldProtector(tmp_path_factory.mktemp("ring") / "keys" / "ring.json", request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "ring.json"


@given(text=texts, context=texts)
def test_what_was_encrypted_is_read_back(protector: FieldProtector, text: str, context: str) -> None:
    ciphertext = protector.encrypt(text, context)
    assert protector.decrypt(ciphertext, context) == text
    key_id, _, body = ciphertext.partition(":")
    assert key_id == "k1"
    assert body.isascii()
    assert not set(body) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(text=texts, contexts=st.lists(texts, min_size=2, max_size=2, unique=True))
def test_ciphertext_moved_to_another_place_does_not_open(
    protector: FieldProtector, text: str, contexts: list[str]
) -> None:
    with pytest.raises(PermanentError):
        protector.decrypt(protector.encrypt(text, contexts[0]), contexts[1])


@given(data=st.data())
def test_altered_ciphertext_does_not_open(protector: FieldProtector, data: st.DataObject) -> None:
    ciphertext = protector.encrypt("330106199001011234", "id_no|r1")
    key_id, _, body = ciphertext.partition(":")
    sealed = bytearray(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    position = data.draw(st.integers(0, len(sealed) - 1))
    sealed[position] ^= data.draw(st.integers(1, 255))
    altered = f"{key_id}:{base64.urlsafe_b64encode(bytes(sealed)).decode().rstrip('=')}"
    with pytest.raises(PermanentError) as caught:
        protector.decrypt(altered, "id_no|r1")
    assert "330106199001011234" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "junk", ["", "k1:", "k1:abc", "k1:!!!!", "330106199001011234", "k1:" + "A" * 100, "k1:户"]
)
def test_what_is_no_ciphertext_is_refused_without_repeating_it(protector: FieldProtector, junk: str) -> None:
    with pytest.raises(PermanentError) as caught:
        protector.decrypt(junk, "id_no|r1")
    assert "330106199001011234" not in str(caught.value)


def test_equal_values_do_not_look_equal(protector: FieldProtector) -> None:
    assert len({protector.encrypt("330106199001011234", "id_no|r1") for _ in range(100)}) == 100


@given(texts, texts)
def test_tokens_are_equal_exactly_for_equal_values(protector: FieldProtector, one: str, other: str) -> None:
    first, second = protector.token("id_no", one), protector.token("id_no", other)
    assert (first == second) == (one == other)
    assert len(first) == 32
    assert set(first) <= set("0123456789abcdef")
    assert protector.token("phone", one) != first


def test_tokens_stay_through_rotation_and_reopening_and_differ_between_platforms(
    path: Path, tmp_path: Path
) -> None:
    protector = FieldProtector(path)
    token = protector.token("id_no", "330106199001011234")
    protector.add_key()
    assert protector.token("id_no", "330106199001011234") == token
    assert FieldProtector(path).token("id_no", "330106199001011234") == token
    assert FieldProtector(tmp_path / "other" / "ring.json").token("id_no", "330106199001011234") != token


@pytest.mark.parametrize("cipher", CIPHERS)
def test_rotation_encrypts_with_the_new_key_and_reads_the_old(path: Path, cipher: FieldCipher) -> None:
    protector = FieldProtector(path)
    old = protector.encrypt("户", "name|1")
    assert protector.add_key(cipher) == "k2"
    assert protector.active_key_id == "k2"
    new = protector.encrypt("户", "name|1")
    assert new.startswith("k2:")
    reopened = FieldProtector(path, cipher)
    assert reopened.active_key_id == "k2"
    assert [reopened.decrypt(each, "name|1") for each in (old, new)] == ["户", "户"]
    # A key id is authenticated too: the same bytes under another key's name do not open.
    with pytest.raises(PermanentError):
        reopened.decrypt(new.replace("k2:", "k1:"), "name|1")


def test_key_added_by_another_process_is_picked_up(path: Path) -> None:
    first, second = FieldProtector(path), FieldProtector(path)
    second.add_key()
    assert first.decrypt(second.encrypt("户", "name|1"), "name|1") == "户"


def test_unknown_key_is_named(path: Path) -> None:
    with pytest.raises(PermanentError, match=r"密钥 k7 不在密钥环中.*k1"):
        FieldProtector(path).decrypt("k7:AAAA", "name|1")


def test_cipher_of_settings_decides_for_new_values_without_adding_keys_each_time(tmp_path: Path) -> None:
    def open_with(cipher: str) -> FieldProtector:
        return FieldProtector.open(load_settings({"YIHU_HOME": str(tmp_path), "YIHU_FIELD_CIPHER": cipher}))

    aes = open_with("AES-256-GCM")
    sm4 = open_with("SM4-GCM")
    assert (aes.active_key_id, sm4.active_key_id) == ("k1", "k2")
    assert open_with("AES-256-GCM").active_key_id == "k1"
    assert open_with("SM4-GCM").active_key_id == "k2"
    assert aes.decrypt(sm4.encrypt("户", "name|1"), "name|1") == "户"


def test_key_file_is_private_from_the_start(path: Path) -> None:
    FieldProtector(path).add_key()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(file.name for file in path.parent.iterdir()) == ["ring.json", "ring.json.lock"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601])
def test_key_file_that_others_can_touch_is_refused_by_name(path: Path, mode: int) -> None:
    FieldProtector(path)
    secret = json.loads(path.read_text())["token_key"]
    path.chmod(mode)
    with pytest.raises(PermanentError) as caught:
        FieldProtector(path)
    assert str(path) in str(caught.value)
    assert f"{mode:04o}" in str(caught.value)
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[1]",
        '{"active": "k1", "keys": {}, "token_key": ""}',
        '{"active": "k1", "keys": {"k1": {"algorithm": "AES-256-GCM", "key": "AAAA"}}, "token_key": "%s"}'
        % ("A" * 43 + "="),
        '{"active": "k1", "keys": {"k1": {"algorithm": "DES", "key": "AAAA"}}, "token_key": "%s"}'
        % ("A" * 43 + "="),
    ],
)
def test_damaged_key_file_is_refused_and_kept(path: Path, content: str) -> None:
    FieldProtector(path)
    path.write_text(content)
    with pytest.raises(PermanentError, match="残缺"):
        FieldProtector(path)
    assert path.read_text() == content


def test_first_opening_by_many_at_once_gives_one_ring(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: FieldProtector(path).token("id_no", "x"), range(32)))
    assert len(tokens) == 1


def test_rotation_by_many_at_once_loses_no_key(path: Path) -> None:
    FieldProtector(path)
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(lambda _: FieldProtector(path).add_key(), range(8)))
    assert sorted(ids) == [f"k{number}" for number in range(2, 10)]
    assert set(json.loads(path.read_text())["keys"]) == {"k1", *ids}


def test_repr_shows_no_key(path: Path) -> None:
    protector = FieldProtector(path)
    content = json.loads(path.read_text())
    for secret in (content["token_key"], content["keys"]["k1"]["key"]):
        assert secret not in repr(protector)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("33010619900101123X", "330106***********X"),
        ("330106900101123", "33*************"),
        ("H60001234567", "H6**********"),
        ("AB", "**"),
        ("", ""),
    ],
)
def test_mask_of_an_id(text: str, masked: str) -> None:
    assert mask_id_no(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("13812348000", "138****8000"),
        ("057186001234", "**********34"),
        ("8600", "**00"),
        ("12", "**"),
        ("", ""),
    ],
)
def test_mask_of_a_phone(text: str, masked: str) -> None:
    assert mask_phone(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [("王小明", "王**"), ("王明", "王*"), ("王", "*"), ("", ""), ("买买提·热合曼", "买******")],
)
def test_mask_of_a_name(text: str, masked: str) -> None:
    assert mask_name(text) == masked


@given(st.text(st.characters(exclude_characters="*"), max_size=40))
def test_masks_keep_the_length_and_hide_at_least_half_of_long_texts(text: str) -> None:
    for mask in (mask_id_no, mask_phone):
        assert len(mask(text)) == len(text)
        assert mask(text).count("*") >= min(len(text), 4) // 2
