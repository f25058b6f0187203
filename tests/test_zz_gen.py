import pytest
from tests.test_permissions import *
def test_gen(addresses, cast):
    import time
    T=[]
    W=[27,5]+[10,6,12,7,27,9,15,14]
    lines=[]
    for name,_ in routes():
        if name.startswith("admin:") and name!="admin:index": continue
        for m in METHODS:
            t0=time.perf_counter()
            r=[outcome(person(cast,c),m,addresses[name]) for c in CAST]
            T.append((time.perf_counter()-t0,name,m))
            lines.append(f"{name:37}{m:5}"+"".join(f"{x:>{w}}" for x,w in zip(r,[11,7,13,8,28,10,16,15])))
    open('/tmp/perm.txt','w').write("\n".join(lines))

    open("/tmp/perm_t.txt","w").write("\n".join(map(str,sorted(T)[-25:]))+f"\n{sum(t[0] for t in T)}")
