"""A tiny face landmarker bundle for MediaPipe, made at test time: bright squares are its faces."""

import zipfile

import numpy as np

ANCHORS, VALUES = 896, 16  # of MediaPipe's face detector: a box and six points for each
SIDE = 128  # of a picture for the detector, in pixels
FACES = ((0.28125, 0.4), (0.78125, 0.2))  # an anchor's x, at half the height, and the face's side


class Network:
    """A TensorFlow Lite model with one input, built an operator at a time."""

    def __init__(self, *shape):
        from mediapipe.tasks.metadata import schema_py_generated as schema

        self.schema, self.graph = schema, schema.SubGraphT()
        self.codes, self.buffers = [], [schema.BufferT()]
        self.graph.tensors, self.graph.operators = [], []
        self.graph.inputs = [self.tensor(shape)]

    def tensor(self, shape, values=None):
        tensor = self.schema.TensorT()
        tensor.name, tensor.shape = f"t{len(self.graph.tensors)}", list(shape)
        if values is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            tensor.buffer = len(self.buffers)
            self.buffers.append(buffer)
            if values.dtype == np.int32:
                tensor.type = self.schema.TensorType.INT32
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def apply(self, name, options, inputs, shape, **values):
        code, operator = self.schema.OperatorCodeT(), self.schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(self.schema.BuiltinOperator, name)
        operator.opcodeIndex, operator.inputs = len(self.codes), list(inputs)
        if options:
            operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(self.schema, f"{options}T")()
            for key, value in values.items():
                setattr(operator.builtinOptions, key, value)
        self.codes.append(code)
        self.graph.operators.append(operator)
        operator.outputs = [self.tensor(shape)]
        return operator.outputs[0]

    def reshape(self, x, *shape):
        target = self.tensor([len(shape)], np.array(shape, np.int32))
        return self.apply("RESHAPE", "ReshapeOptions", [x, target], shape, newShape=list(shape))

    def pool(self, x, cells, size):
        """The mean colours of `cells * cells` squares of `size` pixels, in one row."""
        sizes = {"strideW": size, "strideH": size, "filterWidth": size, "filterHeight": size}
        shape = (1, cells, cells, 3)
        x = self.apply("AVERAGE_POOL_2D", "Pool2DOptions", [x], shape, **sizes)
        return self.reshape(x, 1, cells * cells * 3)

    def linear(self, x, weight, bias):
        inputs = [self.tensor(each.shape, each.astype(np.float32)) for each in (weight, bias)]
        return self.apply("FULLY_CONNECTED", "FullyConnectedOptions", [x, *inputs], [1, len(bias)])

    def save(self, *outputs, scale=None):
        """The file. Colours of pictures are reduced by 127.5, then divided by the scale."""
        model = self.schema.ModelT()
        self.graph.outputs = list(outputs)
        model.version, model.operatorCodes, model.buffers = 3, self.codes, self.buffers
        model.subgraphs = [self.graph]
        if scale:
            entry, buffer = self.schema.MetadataT(), self.schema.BufferT()
            entry.name, entry.buffer = "TFLITE_METADATA", len(self.buffers)
            buffer.data = np.frombuffer(normalization(scale, len(outputs)), np.uint8)
            model.metadata, model.buffers = [entry], [*self.buffers, buffer]
        return packed(model, b"TFL3")


def normalization(scale, outputs):
    from mediapipe.tasks.metadata import metadata_schema_py_generated as schema

    unit, graph, whole = schema.ProcessUnitT(), schema.SubGraphMetadataT(), schema.ModelMetadataT()
    unit.optionsType = schema.ProcessUnitOptions.NormalizationOptions
    unit.options = schema.NormalizationOptionsT()
    unit.options.mean, unit.options.std = [127.5], [scale]
    graph.inputTensorMetadata = [schema.TensorMetadataT()]
    graph.inputTensorMetadata[0].processUnits = [unit]
    graph.outputTensorMetadata = [schema.TensorMetadataT() for _ in range(outputs)]
    whole.subgraphMetadata = [graph]
    return packed(whole, b"M001")


def packed(table, kind):
    import flatbuffers

    builder = flatbuffers.Builder()
    builder.Finish(table.Pack(builder), kind)
    return bytes(builder.Output())


def detector():
    """A face where the square at an anchor of `FACES` is bright."""
    net = Network(1, SIDE, SIDE, 3)
    weight, bias = np.zeros((ANCHORS, 8 * 8 * 3)), np.full(ANCHORS, -20.0)
    boxes = np.zeros((ANCHORS, VALUES))
    for x, side in FACES:
        # The first anchors are two for each of 16 x 16 cells; the squares are 8 x 8.
        anchor = 2 * (8 * 16 + int(x * 16))
        square = 4 * 8 + int(x * 8)
        weight[anchor, 3 * square : 3 * square + 3] = 10  # colours are in [-1, 1]
        bias[anchor] = 0
        boxes[anchor, 2:4] = side * SIDE
        eyes = np.array([-1, -1, 1, -1]) * side * SIDE / 4
        boxes[anchor, 4:8] = eyes
    scores = net.linear(net.pool(0, 8, SIDE // 8), weight, bias)
    zero = np.zeros((boxes.size, 3))
    regressors = net.linear(net.pool(0, 1, SIDE), zero, boxes.reshape(-1))
    outputs = net.reshape(regressors, 1, ANCHORS, VALUES), net.reshape(scores, 1, ANCHORS, 1)
    return net.save(*outputs, scale=127.5)


def mesh(side=192):
    """Landmarks in a cloud, moved by the mean colour of the face."""
    rng = np.random.default_rng(0)
    net = Network(1, side, side, 3)
    cloud = side * rng.uniform(0.2, 0.8, (478, 3))
    cloud[[33, 263, 2]] = side * np.array([[0.35, 0.4, 0], [0.65, 0.4, 0], [0.5, 0.6, 0]])
    colour = net.pool(0, 1, side)
    points = net.linear(colour, rng.normal(size=(1434, 3)) * side / 20, cloud.reshape(-1))
    presence = net.linear(colour, np.zeros((1, 3)), np.array([20.0]))
    outputs = net.reshape(points, 1, 1, 1, 1434), net.reshape(presence, 1, 1, 1, 1)
    return net.save(*outputs, scale=127.5)


def blendshapes():
    """Coefficients that depend on the landmarks."""
    weight = np.random.default_rng(1).normal(size=(52, 292)) / 1000
    net = Network(1, 146, 2)
    x = net.linear(net.reshape(0, 1, 292), weight, np.zeros(52))
    return net.save(net.apply("LOGISTIC", None, [x], [1, 52]))


def make_face_landmarker(path, with_blendshapes=True):
    """Writes the bundle: an uncompressed archive of models with these names."""
    models = {"face_detector": detector(), "face_landmarks_detector": mesh()}
    if with_blendshapes:
        models["face_blendshapes"] = blendshapes()
    with zipfile.ZipFile(path, "w") as file:
        for name, model in models.items():
            file.writestr(f"{name}.tflite", model)
    return path


def draw_squares(*colours):
    """A black picture with a square for each colour, at the places of `FACES`."""
    picture = np.zeros((2 * SIDE, 2 * SIDE, 3), np.uint8)
    for (x, side), colour in zip(FACES, colours, strict=False):
        left, top = (round(2 * SIDE * (each - side / 2)) for each in (x, 0.53125))
        picture[top : top + round(2 * SIDE * side), left : left + round(2 * SIDE * side)] = colour
    return picture
