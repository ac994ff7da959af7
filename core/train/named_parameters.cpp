// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/named_parameters.h"

#include "core/base/error.h"
#include "core/train/linear_ops.h"
#include "core/train/pointwise_ops.h"

namespace tamis::train {

template <class T>
void readParameter(ParameterSet<T>& set, const nn::TensorSource& source, const std::string& tensor, std::int64_t rows, std::int64_t cols, bool decays)
{
    const std::vector<std::int64_t> expected = rows == 1 ? std::vector<std::int64_t>{cols} : std::vector<std::int64_t>{rows, cols};
    const std::string subject = source.subject() + ": " + tensor;
    if (!source.has(tensor))
        throw Error(ErrorCode::MalformedFile, "the tensor is missing, expected " + io::shapeText(expected), subject);
    const std::vector<std::int64_t> shape = source.shape(tensor, expected);
    std::int64_t elements = shape.empty() ? 0 : 1;
    for (const std::int64_t side : shape) // sides are not negative and their product fits, the reader says
        elements *= side;
    bool fits = elements == rows * cols && elements > 0 && shape.back() > 0;
    if (fits && shape.size() > 1) { // the last side, or the sides after the rows, make up the columns
        std::size_t first = 0;
        while (shape.size() - first > 2 && shape[first] == 1)
            ++first;
        fits = shape[first] == rows;
    } else if (fits) {
        fits = rows == 1;
    }
    if (!fits)
        throw Error(ErrorCode::MalformedFile, "found shape " + io::shapeText(shape) + ", expected " + io::shapeText(expected), subject);
    const std::vector<float> values = source.values(tensor, shape);
    set.add(tensor, shape, {values.begin(), values.end()}, decays);
}

template <class T> void readLinear(ParameterSet<T>& set, const nn::TensorSource& source, const std::string& name, std::int64_t out, std::int64_t in)
{
    if (!source.has(name + ".weight") && nn::hasOperator(source, name))
        throw Error(ErrorCode::UnsupportedFeature, "is compressed, expected a dense weight for training", source.subject() + ": " + name);
    readParameter(set, source, name + ".weight", out, in, true);
    if (source.has(name + ".bias"))
        readParameter(set, source, name + ".bias", 1, out, false);
}

template <class T> void readNorm(ParameterSet<T>& set, const nn::TensorSource& source, const std::string& name, std::int64_t width)
{
    readParameter(set, source, name + ".weight", 1, width, false);
    if (source.has(name + ".bias"))
        readParameter(set, source, name + ".bias", 1, width, false);
}

template <class T> Variable<T> leafNamed(Tape<T>& tape, ParameterSet<T>& set, const std::string& name)
{
    Parameter<T>* parameter = name.empty() ? nullptr : set.find(name);
    return parameter ? tape.parameter(*parameter) : Variable<T>{};
}

template <class T>
Variable<T> linearNamed(Tape<T>& tape, ParameterSet<T>& set, const std::string& name, Variable<T> x, const ForwardHooks<T>& hooks, Variable<T> base,
                        kernels::Activation kind)
{
    const Variable<T> bias = leafNamed(tape, set, name + ".bias");
    Variable<T> y = hooks.replaceLinear ? hooks.replaceLinear(name, x, bias) : Variable<T>{};
    if (!y) {
        const Variable<T> weight = leafNamed(tape, set, name + ".weight");
        if (!hooks.observeLinear)
            return base ? linearResidual(x, weight, bias, base) : linear(x, weight, bias, kind);
        y = linear(x, weight, bias);
    }
    if (hooks.observeLinear)
        hooks.observeLinear(name, y);
    if (kind != kernels::Activation::None)
        y = activation(y, kind);
    return base ? add(y, base) : y;
}

#define TAMIS_NAMED_PARAMETERS(T)                                                                                                              \
    template void readParameter<T>(ParameterSet<T>&, const nn::TensorSource&, const std::string&, std::int64_t, std::int64_t, bool);           \
    template void readLinear<T>(ParameterSet<T>&, const nn::TensorSource&, const std::string&, std::int64_t, std::int64_t);                    \
    template void readNorm<T>(ParameterSet<T>&, const nn::TensorSource&, const std::string&, std::int64_t);                                    \
    template Variable<T> leafNamed<T>(Tape<T>&, ParameterSet<T>&, const std::string&);                                                         \
    template Variable<T> linearNamed<T>(Tape<T>&, ParameterSet<T>&, const std::string&, Variable<T>, const ForwardHooks<T>&, Variable<T>,      \
                                        kernels::Activation)
TAMIS_NAMED_PARAMETERS(float);
TAMIS_NAMED_PARAMETERS(double);
#undef TAMIS_NAMED_PARAMETERS

} // namespace tamis::train
