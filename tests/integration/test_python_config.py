"""The configuration of the Python package."""
import pytest


def test_configuration(python, tmp_path):
    (tmp_path / "config.toml").write_text('# mine\n[general]\ndebug = true # now\n[endpoints]\ndefault = "gpu"\n[endpoints.gpu]\nhost = "h"\napi_key = "secret"\n[other]\nkept = [1, 2]\n')
    assert python("""
c = ia.config()
assert c.loaded and c.get('general', 'debug') is True and c.get('general', 'log_level') == 'INFO' and c.get('cache', 'max_size_mb') == 500
assert c.get('endpoints', 'gpu') == {'host': 'h', 'api_key': 'secret'} and c.get('endpoints', 'local')['port'] == 8000
assert c.get('no', 'such') is None and c.get('no', 'such', 5) == 5 and 'secret' not in repr(c)
c.set('general', 'debug', False)
c.set('new', 'list', ['a', 'b"'])
try: c.set('new', 'x', object())
except TypeError: pass
else: raise AssertionError
c.save()
text = open('config.toml').read()
d = ia.config()
assert d.config_data == c.config_data, (d.config_data, c.config_data)
c.set('deep', 'table', {'a b': {'c': 1.5}, 'd': [True]})
c.save('other.toml')
assert ia.config('other.toml').get('deep', 'table') == {'a b': {'c': 1.5}, 'd': [True]}
print(json.dumps(text))
""") == '# mine\n[general]\ndebug = false # now\n[endpoints]\ndefault = "gpu"\n[endpoints.gpu]\nhost = "h"\napi_key = "secret"\n[other]\nkept = [1, 2]\n\n[new]\nlist = ["a", "b\\""]\n'


@pytest.mark.parametrize("text", [None, "[general\n", "\xff"])
def test_without_a_good_file_there_are_defaults(python, tmp_path, text):
    if text is not None:
        (tmp_path / "config.toml").write_bytes(text.encode("latin-1"))
    assert python("""
import warnings
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter('always')
    c = ia.config()
print(json.dumps([len(told), c.loaded, c.get('endpoints', 'default')]))
""") == [1, False, "local"]
