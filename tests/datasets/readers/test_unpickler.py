"""Pickles that hold code, or are none."""

import builtins
import collections
import copyreg
import datetime
import io
import operator
import os
import pickle
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.datasets import load_pickle
from tests.datasets.programs import (
    FIELDS,
    PROTOCOLS,
    part,
    program,
    python2,
    refused,
)
from tests.datasets.samples import (
    MANY,
    damaged,
    load_bytes,
    loads_or_refuses,
)


def test_the_program_here_loads():
    load_bytes(load_pickle, program())


class Gadget:
    def __init__(self, function, *args):
        self.reduced = (function, args)

    def __reduce__(self):
        return self.reduced


@pytest.fixture
def marker(tmp_path):
    """A file that hostile code makes; none may."""
    marker = tmp_path / "it ran"
    yield marker
    assert not marker.exists()


def gadgets(marker):
    write = f"open({str(marker)!r}, 'w').close()"
    return {
        "system": Gadget(os.system, f'echo > "{marker}"'),
        "Popen": Gadget(subprocess.Popen, ["touch", str(marker)]),
        "eval": Gadget(eval, write),
        "exec": Gadget(exec, write),
        "open": Gadget(open, str(marker), "w"),
        "__import__": Gadget(builtins.__import__, "os"),
        "attrgetter": Gadget(operator.attrgetter, "system"),
        "load": Gadget(np.load, str(marker)),
        "fromfile": Gadget(np.fromfile, str(marker)),
        "date": Gadget(datetime.date, 1, 1, 1),
        "defaultdict": collections.defaultdict(list),
        "bytearray": Gadget(bytearray, 2**40),
        "object": Gadget(object),
    }


def test_the_gadgets_here_work(tmp_path):
    # What they would do if they ran; nothing else here could detect it.
    for name in ("eval", "exec", "open", "system"):
        marker = tmp_path / name
        result = pickle.loads(pickle.dumps(gadgets(marker)[name]))
        if isinstance(result, io.IOBase):
            result.close()
        assert marker.exists()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", sorted(gadgets("")))
def test_no_code_runs(marker, name, protocol):
    data = pickle.dumps((*FIELDS, gadgets(marker)[name]), protocol)
    refused(data, rf"refused: the pickle references [\w.]+\.{name}; only numpy arrays, scalars and")


# What published attacks call, or reach what they call through.
KNOWN = """
    os.system posix.system nt.system os.popen os.execv os.spawnv os.posix_spawn pty.spawn
    subprocess.Popen subprocess.check_output commands.getoutput multiprocessing.Process
    builtins.eval builtins.exec builtins.compile builtins.open builtins.getattr builtins.setattr
    builtins.__import__ builtins.map builtins.vars builtins.breakpoint builtins.input
    __builtin__.eval __builtin__.execfile __builtin__.apply __builtin__.file __builtin__.getattr
    importlib.import_module runpy.run_path runpy._run_code imp.load_source zipimport.zipimporter
    pickle.loads _pickle.loads cPickle.loads marshal.loads shelve.open dill.loads joblib.load
    torch.load torch.storage._load_from_bytes torch.jit.load torch.hub.load
    torch._utils._rebuild numpy.load numpy.fromfile numpy.memmap
    numpy.testing._private.utils.runstring numpy.f2py.crackfortran.myeval
    numpy.distutils.exec_command.exec_command numpy.vectorize numpy.core.multiarray.fromfile
    numpy._core.multiarray.frombuffer numpy.ma.core._mareconstruct
    numpy.core._internal._reconstruct numpy.random._pickle.__generator_ctor types.FunctionType
    types.CodeType types.MethodType functools.partial functools.reduce operator.attrgetter
    operator.methodcaller operator.itemgetter copyreg._reconstructor copyreg.__newobj__
    copy_reg._reconstructor copy_reg.add_extension codecs.decode _codecs.decode
    code.InteractiveInterpreter timeit.timeit timeit.main trace.Trace bdb.Bdb cProfile.run
    profile.run pdb.run doctest.debug_script pydoc.pipepager ensurepip._run_pip venv.create
    logging.config.fileConfig webbrowser.open ctypes.CDLL ctypes.cdll.LoadLibrary cffi.FFI
    socket.create_connection urllib.request.urlopen http.client.HTTPConnection smtplib.SMTP
    shutil.rmtree pathlib.Path tempfile.mktemp io.FileIO io.open linecache.getlines sys.exit
    sys.setrecursionlimit signal.raise_signal threading.Thread atexit.register gc.get_objects
    asyncio.unix_events._UnixSubprocessTransport._start asyncio.run idlelib.pyshell.main
    collections.Counter collections.defaultdict collections.UserDict decimal.Decimal
    pandas.read_pickle sklearn.utils._joblib.load xml.dom.minidom.parse yaml.unsafe_load
"""


@pytest.mark.parametrize("opcode", ["GLOBAL", "STACK_GLOBAL", "INST"])
@pytest.mark.parametrize("name", KNOWN.split())
def test_no_known_attack_finds_what_it_calls(name, opcode):
    module, _, attribute = name.rpartition(".")
    instructions = {
        "GLOBAL": f"c{module}\n{attribute}\n(S'x'\ntR".encode(),
        "STACK_GLOBAL": part(module, 4)[9:] + part(attribute, 4)[9:] + b"\x93(S'x'\ntR",
        "INST": f"(S'x'\ni{module}\n{attribute}\n".encode(),
    }
    told = "has the instruction 0x69" if opcode == "INST" else f"references {name};"
    refused(program(tenth=instructions[opcode]), told)


@pytest.mark.parametrize(
    "instructions",
    [
        b"(S'touch %s'\nios\nsystem\n",
        b"(cos\nsystem\nS'touch %s'\no",
        b"csubprocess\nPopen\n((lS'touch'\naS'%s'\nat\x81",
        b"csubprocess\nPopen\n((lS'touch'\naS'%s'\nat}\x92",
        b"cos\nsystem\n(S'touch %s'\ntR",
        b"cbuiltins\ngetattr\n(cnumpy\ndtype\nS'__init__'\ntR",
        b"\x8c\x02os\x8c\x06system\x93(S'touch %s'\ntR",
        b"\x8c\x08builtins\x8c\x0eos.path.exists\x93(S'%s'\ntR",
        b"\x8c\x05numpy\x8c\x0edtype.__init__\x93",
        b"\x8c\x05numpy\x8c\x0btesting.run\x93",
        b"cnumpy\nndarray.__class__\n",
        b"cnumpy.core.multiarray\nfrombuffer\n",
        b"cos\nset\n",
        b"c\n\n",
    ],
)
def test_no_spelling_of_a_name_finds_it(marker, instructions):
    refused(program(tenth=instructions.replace(b"%s", str(marker).encode())))


def test_extensions_are_not_looked_up(marker):
    copyreg.add_extension(os.system.__module__, "system", 240)
    try:
        call = b"(S'touch %s'\ntR" % str(marker).encode()
        for opcode in (b"\x82\xf0", b"\x83\xf0\0", b"\x84\xf0\0\0\0"):
            refused(program(tenth=opcode + call), f"has the instruction {opcode[0]:#x}")
    finally:
        copyreg.remove_extension(os.system.__module__, "system", 240)


@pytest.mark.parametrize(
    "instructions",
    [
        b"Pname\n",
        b"K\x01Q",
        b"\x97",
        b"C\x01a\x98",
        b"(inumpy\ndtype\n",
        b"(cnumpy\ndtype\no",
        b"cnumpy\ndtype\n)\x81",
        b"cnumpy\ndtype\n)}\x92",
    ],
)
def test_persistent_ids_buffers_and_instances_are_refused(instructions):
    refused(program(tenth=instructions), "has the instruction")


@pytest.mark.parametrize(
    "instructions",
    [
        b"}}b",  # the state of a dict
        b"](K\x01K\x02tb",  # of a list
        b"cnumpy\ndtype\n}b",  # of a stand-in
        b"cnumpy\nndarray\n(K\x01tR",  # a class that is not to be called
        b"cnumpy\ndtype\n(U\x05f4,f4tR",
        b"cnumpy\ndtype\n(U\x06(2,)f4tR",
        b"cnumpy\ndtype\n(](U\x01aU\x02f4tatR",
        b"K\x01)R",
        b"S'upper'\n)R",
        b"cnumpy\ndtype\n(U\x02f4tR)R",  # a dtype is no function either
        b"]K\x00K\x01s",  # items of a list
        b"\x8f(K\x00K\x01u",  # of a set
        b"cnumpy\ndtype\nK\x00K\x01s",
        b"](K\x01\x90",  # members of a list
        b"}(U\x02ab\x90",
        b"c_codecs\nencode\n(U\x01aU\x05rot13tR",
        b"c_codecs\nencode\n(U\x01aU\x03zlbtR",
        b"c_codecs\nencode\n(K\x01U\x06latin1tR",
    ],
)
def test_only_stand_ins_are_called_and_changed(instructions):
    refused(program(tenth=instructions))


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\x80\x09.", b".", b"nonsense", bytes(99), b"(" * 99]
)
def test_no_pickle_at_all(data):
    refused(data, "features: ")


WRITERS = {
    **{f"protocol {p}": lambda value, p=p: pickle.dumps(value, p) for p in PROTOCOLS},
    "python 2": python2,
}


@pytest.mark.parametrize("writer", sorted(WRITERS))
def test_a_truncated_pickle(writer):
    data = WRITERS[writer](tuple(FIELDS))
    for size in range(0, len(data), max(1, len(data) // 150)):
        assert not loads_or_refuses(load_pickle, data[:size])


@MANY
@given(st.data(), st.sampled_from(sorted(WRITERS)))
def test_a_damaged_pickle_loads_or_is_refused(data, writer):
    loads_or_refuses(load_pickle, data.draw(damaged(WRITERS[writer](tuple(FIELDS)))))


@MANY
@given(st.lists(st.sampled_from(
    [bytes([code]) for code in b"(.0123)]}abdeghjlopqrstu\x81\x85\x86\x87\x8f\x90\x91\x93\x94NK\1"]
    + [b"cnumpy\ndtype\n", b"cbuiltins\nset\n", b"U\x02f4", b"U\x05numpy", b"(U\x02f4tR"]
), max_size=40))  # fmt: skip
def test_random_programs_load_or_are_refused(instructions):
    loads_or_refuses(load_pickle, program(tenth=b"".join(instructions)))
