"""Vectors that know what words mean: static ones, that a package ships."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.recordings.made import text_segment

pytest.importorskip("pandas", reason="needs the extra `recordings`")
package = pytest.importorskip("sentence_transformers", reason="needs the extra `text`")
if find_spec("wordllama") is None:
    pytest.skip("wordllama ships the vectors", allow_module_level=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of sentence-transformers with wordllama's vectors, without its own loading."""
    from safetensors.numpy import load_file
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    root = Path(find_spec("wordllama").origin).parent
    (weights,) = load_file(next(root.glob("weights/*.safetensors"))).values()
    tokenizer = Tokenizer.from_file(str(next(root.glob("tokenizers/*.json"))))
    module = StaticEmbedding(tokenizer, embedding_weights=weights.astype(np.float32))
    folder = tmp_path_factory.mktemp("words")
    package.SentenceTransformer(modules=[module], device="cpu").save(str(folder))
    return folder


@pytest.mark.parametrize(
    ("words", "near", "far"),
    [
        ("I am so happy", "what a joy", "the train was late"),
        ("this makes me furious", "she was angry", "a cup of tea"),
        ("my dog barks", "the cat sleeps", "interest rates rose"),
    ],
)
def test_what_means_alike_is_near(folder, words, near, far):
    from graphfusion.recordings import SentenceText

    whole = np.array(SentenceText(str(folder))([text_segment(each) for each in (words, near, far)]))
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    assert whole[0] @ whole[1] > whole[0] @ whole[2] + 0.05
