// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/tensor/convert.h"

#include <QFile>
#include <QTest>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

using namespace tamis;
using namespace tamis::tensor;

namespace {
constexpr DType kEvery[] = {DType::F64, DType::F32, DType::F16, DType::BF16, DType::I64,
                            DType::I32, DType::I16, DType::I8, DType::U8, DType::Bool};

template <class T> std::span<const std::byte> bytesOf(const std::vector<T>& values)
{
    return std::as_bytes(std::span(values));
}

template <class To, class Stored> std::vector<To> decoded(DType type, const std::vector<Stored>& stored)
{
    std::vector<To> values(stored.size());
    decode(type, bytesOf(stored), std::span<To>(values));
    return values;
}

template <class T> std::vector<std::uint16_t> encoded(DType type, const std::vector<T>& values)
{
    std::vector<std::uint16_t> stored(values.size());
    encode(type, std::span<const T>(values), std::as_writable_bytes(std::span(stored)));
    return stored;
}

std::vector<std::uint16_t> everyPattern()
{
    std::vector<std::uint16_t> patterns(65536);
    for (std::size_t i = 0; i < patterns.size(); ++i)
        patterns[i] = static_cast<std::uint16_t>(i);
    return patterns;
}

// The definition of IEEE 754 binary16.
double halfValue(std::uint16_t half)
{
    const int exponent = (half >> 10) & 31, fraction = half & 1023;
    const double sign = (half & 0x8000) ? -1 : 1;
    if (exponent == 31)
        return fraction ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
    return exponent == 0 ? sign * std::ldexp(fraction, -24) : sign * std::ldexp(1024 + fraction, exponent - 25);
}

template <class T> bool same(T a, double b)
{
    return std::isnan(b) ? std::isnan(a) : static_cast<double>(a) == b && std::signbit(a) == std::signbit(b);
}

// Around the middle between each finite value and the next: the even one wins at the middle, the nearer one beside it.
// `value` gives the number of a pattern; the largest finite pattern is followed by infinity, half an ulp further.
template <class T, class Value> void checkEveryBoundary(DType type, std::uint16_t infinity, Value value)
{
    std::vector<T> inputs;
    std::vector<std::uint16_t> expected;
    for (std::uint16_t low = 0; low < infinity; ++low) {
        const std::uint16_t high = low + 1;
        const double a = value(low), b = high == infinity ? 2 * a - value(low - 1) : value(high);
        const T middle = static_cast<T>(a + (b - a) / 2);
        const T below = std::nextafter(middle, static_cast<T>(0)), above = std::nextafter(middle, std::numeric_limits<T>::infinity());
        QVERIFY(static_cast<double>(middle) == a + (b - a) / 2); // exact, so that it is a tie
        for (const auto& [input, half] : {std::pair(middle, (low & 1) ? high : low), std::pair(below, low), std::pair(above, high)}) {
            inputs.push_back(input);
            expected.push_back(half);
            inputs.push_back(-input);
            expected.push_back(half | 0x8000);
        }
    }
    const std::vector<std::uint16_t> found = encoded(type, inputs);
    for (std::size_t i = 0; i < inputs.size(); ++i)
        if (found[i] != expected[i])
            QFAIL(qPrintable(QString("%1 -> %2, expected %3").arg(double(inputs[i]), 0, 'g', 17).arg(found[i], 4, 16).arg(expected[i], 4, 16)));
}

double brainValue(std::uint16_t pattern)
{
    return std::bit_cast<float>(static_cast<std::uint32_t>(pattern) << 16);
}
} // namespace

class TstConvert : public QObject
{
    Q_OBJECT
    static QByteArray golden(const char* name)
    {
        QFile file(QString(TAMIS_SOURCE_DIR "/tests/golden/") + name);
        return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
    }
    template <class T> void compareWithNumPy(const char*& at)
    {
        std::uint32_t count = 0;
        std::memcpy(&count, at, 4);
        at += 4;
        QVERIFY(count > 4000);
        std::vector<T> values(count);
        std::vector<std::uint16_t> expected(count);
        for (std::uint32_t i = 0; i < count; ++i, at += sizeof(T) + 2) {
            std::memcpy(&values[i], at, sizeof(T));
            std::memcpy(&expected[i], at + sizeof(T), 2);
        }
        QCOMPARE(encoded(DType::F16, values), expected);
    }

private slots:
    void namesAndSizes()
    {
        const std::size_t sizes[] = {8, 4, 2, 2, 8, 4, 2, 1, 1, 1};
        for (std::size_t i = 0; i < std::size(kEvery); ++i) {
            QCOMPARE(dtypeSize(kEvery[i]), sizes[i]);
            QVERIFY(parseDType(dtypeName(kEvery[i])) == kEvery[i]);
            QCOMPARE(isFloating(kEvery[i]), i < 4);
        }
        QVERIFY(!parseDType("F8_E4M3") && !parseDType("f32") && !parseDType(""));
    }
    void halvesDecodeByDefinition()
    {
        const auto patterns = everyPattern();
        const auto floats = decoded<float>(DType::F16, patterns);
        const auto doubles = decoded<double>(DType::F16, patterns);
        for (std::size_t i = 0; i < patterns.size(); ++i) {
            QVERIFY(same(floats[i], halfValue(patterns[i])));
            QVERIFY(same(doubles[i], halfValue(patterns[i])));
            float alone = 0; // the loop's remainder has its own code
            decode(DType::F16, std::as_bytes(std::span(&patterns[i], 1)), std::span(&alone, 1));
            QCOMPARE(std::bit_cast<std::uint32_t>(alone), std::bit_cast<std::uint32_t>(floats[i]));
        }
    }
    void halvesDecodeAsNumPyDoes()
    {
        std::vector<float> finite;
        for (const float value : decoded<float>(DType::F16, everyPattern()))
            if (!std::isnan(value))
                finite.push_back(value);
        QCOMPARE(QByteArray::fromStdString(sha256(bytesOf(finite))), golden("f16_decode.sha256").trimmed());
    }
    void halvesEncodeAsNumPyDoes()
    {
        const QByteArray bytes = golden("f16_encode.bin");
        QVERIFY(bytes.size() > 8);
        const char* at = bytes.constData();
        compareWithNumPy<float>(at);
        compareWithNumPy<double>(at);
        QCOMPARE(at, bytes.constData() + bytes.size());
    }
    void halvesRoundToNearestEvenEverywhere()
    {
        checkEveryBoundary<float>(DType::F16, 0x7c00, halfValue);
        checkEveryBoundary<double>(DType::F16, 0x7c00, halfValue);
    }
    void brainFloatsRoundToNearestEvenEverywhere()
    {
        checkEveryBoundary<float>(DType::BF16, 0x7f80, brainValue);
        checkEveryBoundary<double>(DType::BF16, 0x7f80, brainValue);
    }
    void encodingUndoesDecoding_data()
    {
        QTest::addColumn<bool>("brain");
        QTest::newRow("F16") << false;
        QTest::newRow("BF16") << true;
    }
    void encodingUndoesDecoding()
    {
        QFETCH(bool, brain);
        const DType type = brain ? DType::BF16 : DType::F16;
        const std::uint16_t infinity = brain ? 0x7f80 : 0x7c00, quiet = brain ? 0x40 : 0x200;
        const auto patterns = everyPattern();
        const auto values = decoded<float>(type, patterns);
        const auto again = encoded(type, values);
        const auto fromDouble = encoded(type, decoded<double>(type, patterns));
        for (std::size_t i = 0; i < patterns.size(); ++i) {
            const bool isNan = (patterns[i] & 0x7fff) > infinity;
            QCOMPARE(again[i], static_cast<std::uint16_t>(isNan ? patterns[i] | quiet : patterns[i]));
            QCOMPARE((fromDouble[i] & 0x7fff) > infinity, isNan);
            if (!isNan)
                QCOMPARE(fromDouble[i], patterns[i]);
            if (brain) // by definition, the upper half of the float
                QCOMPARE(std::bit_cast<std::uint32_t>(values[i]), static_cast<std::uint32_t>(patterns[i]) << 16);
            std::uint16_t alone = 0;
            encode(type, std::span(&values[i], 1), std::as_writable_bytes(std::span(&alone, 1)));
            QCOMPARE(alone, again[i]);
        }
    }
    void infinityNanAndOverflow()
    {
        const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
        const std::vector<double> values{inf, -inf, nan, 1e300, -1e300, 65519.999999999, 65520.0, 1e-300, -0.0};
        const std::vector<std::uint16_t> halves{0x7c00, 0xfc00, 0x7e00, 0x7c00, 0xfc00, 0x7bff, 0x7c00, 0x0000, 0x8000};
        QCOMPARE(encoded(DType::F16, values), halves);
        const double most = std::numeric_limits<float>::max();
        QCOMPARE(encoded(DType::BF16, std::vector<double>{most, 1e300, inf, nan}), (std::vector<std::uint16_t>{0x7f80, 0x7f80, 0x7f80, 0x7fc0}));
        std::vector<float> floats(3);
        encode(DType::F32, std::span<const double>(std::vector<double>{1e300, 1e-320, 0.1}), std::as_writable_bytes(std::span(floats)));
        QVERIFY(floats[0] == std::numeric_limits<float>::infinity() && floats[1] == 0 && floats[2] == 0.1f);
    }
    void wholeNumbersKeepTheirRange()
    {
        const auto check = [](DType type, auto least, auto most) {
            using Stored = decltype(least);
            const std::vector<Stored> stored{least, most, 0, 1};
            const auto doubles = decoded<double>(type, stored);
            const auto floats = decoded<float>(type, stored);
            for (std::size_t i = 0; i < stored.size(); ++i)
                QVERIFY(doubles[i] == static_cast<double>(stored[i]) && floats[i] == static_cast<float>(stored[i]));
        };
        check(DType::I64, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
        check(DType::I32, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max());
        check(DType::I16, std::numeric_limits<std::int16_t>::min(), std::numeric_limits<std::int16_t>::max());
        check(DType::I8, std::numeric_limits<std::int8_t>::min(), std::numeric_limits<std::int8_t>::max());
        check(DType::U8, std::uint8_t{0}, std::uint8_t{255});
        QCOMPARE(decoded<float>(DType::Bool, std::vector<std::uint8_t>{0, 1, 2, 255}), (std::vector<float>{0, 1, 1, 1}));
    }
    void anyAlignmentWillDo()
    {
        std::mt19937 random(7);
        for (const DType type : kEvery) {
            const std::size_t size = dtypeSize(type), count = 37;
            std::vector<std::byte> stored(count * size);
            for (std::byte& b : stored)
                b = static_cast<std::byte>(random());
            std::vector<float> expected(count), found(count);
            decode(type, stored, std::span(expected));
            for (std::size_t shift = 1; shift < 9; ++shift) {
                std::vector<std::byte> moved(shift + stored.size());
                std::memcpy(moved.data() + shift, stored.data(), stored.size());
                decode(type, std::span(moved).subspan(shift), std::span(found));
                QVERIFY(std::memcmp(found.data(), expected.data(), count * sizeof(float)) == 0);
            }
        }
    }
    void sizesMustAgree()
    {
        std::vector<float> three(3);
        std::vector<std::byte> eleven(11), six(6);
        QVERIFY_EXCEPTION_THROWN(decode(DType::F32, eleven, std::span(three)), Error);
        QVERIFY_EXCEPTION_THROWN(encode(DType::F16, std::span<const float>(three), std::span(eleven)), Error);
        encode(DType::BF16, std::span<const float>(three), std::span(six));
        decode(DType::F16, {}, std::span<float>()); // nothing is fine
        try {
            encode(DType::I8, std::span<const float>(three), std::span(six).first(3));
            QFAIL("whole numbers are no place for rounded values");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::UnsupportedFeature);
        }
    }
    void nonFiniteValuesAreCounted()
    {
        std::mt19937_64 random(11);
        std::vector<float> floats(200'001);
        std::vector<double> doubles(floats.size());
        for (std::size_t i = 0; i < floats.size(); ++i) { // random bits: every kind of value, 1 in 256 not finite
            floats[i] = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
            doubles[i] = i % 100 == 0 ? std::bit_cast<double>(random() | 0x7ff0000000000000u) : std::bit_cast<double>(random());
            if (i % 1000 == 0)
                floats[i] = -std::numeric_limits<float>::infinity();
            if (i % 2000 == 0)
                doubles[i] = std::numeric_limits<double>::infinity();
        }
        const auto byHand = [](const auto& values) {
            FiniteCount count;
            for (const auto value : values) {
                count.nan += std::isnan(value) ? 1 : 0;
                count.infinite += std::isinf(value) ? 1 : 0;
            }
            return count;
        };
        QVERIFY(byHand(floats).nan > 100 && byHand(floats).infinite > 100 && byHand(doubles).nan > 100 && byHand(doubles).infinite > 50);
        QVERIFY(countNonFinite(floats) == byHand(floats));
        QVERIFY(countNonFinite(doubles) == byHand(doubles));
        QVERIFY(countNonFinite(std::span<const float>()) == FiniteCount{});
        QCOMPARE(countNonFinite(floats).total(), byHand(floats).nan + byHand(floats).infinite);
    }
};

QTEST_GUILESS_MAIN(TstConvert)
#include "tst_convert.moc"
