// SPDX-License-Identifier: GPL-3.0-or-later
// Tables on disk: both layouts and all types give the rows that were written; files that are no table are refused with what is wrong.
#include "core/addressing/embed_table.h"
#include "core/addressing/token_scales.h"
#include "core/base/error.h"
#include "core/io/npy.h"
#include "core/io/safetensors.h"
#include "core/tensor/convert.h"

#include <QTemporaryDir>
#include <QTest>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>

using namespace tamis;
using namespace tamis::addressing;
using tensor::DType;

namespace {
constexpr std::int64_t kLayers = 3, kTokens = 11, kWidth = 20;

std::vector<float> values()
{
    std::mt19937 random(7);
    std::normal_distribution<float> normal(1, 0.3F);
    std::vector<float> all(static_cast<std::size_t>(kLayers * kTokens * kWidth));
    for (float& value : all)
        value = normal(random);
    return all;
}
} // namespace

class TstEmbedTable : public QObject {
    Q_OBJECT
    QTemporaryDir m_directory;
    const std::vector<float> m_values = values();

    std::filesystem::path file(const char* name) const { return std::filesystem::path(m_directory.path().toStdString()) / name; }
    RowValues rows() const
    {
        return [this](std::int64_t layer, std::int64_t token) { return std::span(m_values).subspan(static_cast<std::size_t>((layer * kTokens + token) * kWidth), kWidth); };
    }
    /// What a reader decodes, position by position.
    static std::vector<float> read(const EmbedTable& table, ReaderKind kind, const std::vector<std::int32_t>& tokens)
    {
        const auto reader = openReader(kind, table.path());
        const TokenScales scales(table, *reader, tokens);
        std::vector<float> all;
        for (std::int64_t t = 0; t < scales.tokens(); ++t)
            for (std::int64_t layer = 0; layer < scales.layers(); ++layer) {
                const auto row = scales.row(layer, t);
                all.insert(all.end(), row.begin(), row.end());
            }
        return all;
    }
    ErrorCode refused(const char* name, std::optional<TableLayout> layout = {}) const
    {
        try {
            EmbedTable::open(file(name), layout);
        } catch (const Error& error) {
            return error.code();
        }
        return ErrorCode::Cancelled; // none of those expected
    }
    void write(const char* name, const std::vector<io::TensorDeclaration>& tensors, const std::map<std::string, std::string>& metadata) const
    {
        io::SafetensorsWriter writer(file(name), tensors, metadata);
        for (const io::TensorDeclaration& tensor : tensors)
            if (const std::uint64_t bytes = io::checkedTensorBytes(tensor.dtype, tensor.shape, name); bytes > 0)
                writer.append(tensor.name, std::vector<std::byte>(bytes));
        writer.commit();
    }

private slots:
    void layoutsAndTypesGiveTheRows()
    {
        const std::vector<std::int32_t> tokens{3, 0, 10, 3, 3, 7};
        for (const DType type : {DType::F32, DType::F16, DType::BF16}) {
            std::vector<float> wanted; // rounded to the type by the converter, which has its own goldens
            for (const std::int32_t token : tokens)
                for (std::int64_t layer = 0; layer < kLayers; ++layer)
                    for (const float value : rows()(layer, token)) {
                        std::byte bytes[4];
                        const std::span<std::byte> stored(bytes, tensor::dtypeSize(type));
                        float rounded = 0;
                        tensor::encode(type, std::span(&value, 1), stored);
                        tensor::decode(type, stored, std::span(&rounded, 1));
                        wanted.push_back(rounded);
                    }
            for (const TableLayout layout : {TableLayout::LayerMajor, TableLayout::TokenMajor}) {
                const TableShape shape{kLayers, kTokens, kWidth, type, layout};
                writeEmbedTable(file("table.safetensors"), shape, rows());
                const EmbedTable table = EmbedTable::open(file("table.safetensors"));
                QCOMPARE(table.shape(), shape);
                QCOMPARE(table.row(0, 0).offset % kPageBytes, std::uint64_t{0});
                QVERIFY(read(table, ReaderKind::Mapped, tokens) == wanted);
                QVERIFY(read(table, ReaderKind::Pread, tokens) == wanted);
            }
        }
    }
    void numpyArraysAndOneTensorALayer()
    {
        std::vector<float> byToken;
        for (std::int64_t token = 0; token < kTokens; ++token)
            for (std::int64_t layer = 0; layer < kLayers; ++layer) {
                const auto row = rows()(layer, token);
                byToken.insert(byToken.end(), row.begin(), row.end());
            }
        const std::vector<std::int32_t> tokens{10, 1, 0};
        io::writeNpy(file("layers.npy"), m_values, {kLayers, kTokens, kWidth});
        io::writeNpy(file("tokens.npy"), byToken, {kTokens, kLayers, kWidth});
        std::vector<io::TensorDeclaration> tensors{{"blocks.0.att.key.weight", DType::F32, {5}}};
        for (std::int64_t layer = kLayers; layer-- > 0;)
            tensors.push_back({"blocks." + std::to_string(layer) + ".ffn.enn.weight", DType::F32, {kTokens, kWidth}});
        io::SafetensorsWriter writer(file("rwkv.safetensors"), tensors);
        writer.appendValues("blocks.0.att.key.weight", std::vector<float>(5));
        for (std::int64_t layer = kLayers; layer-- > 0;)
            writer.appendValues(tensors[static_cast<std::size_t>(kLayers - layer)].name, std::span(m_values).subspan(static_cast<std::size_t>(layer * kTokens * kWidth), kTokens * kWidth));
        writer.commit();
        const auto wanted = read(EmbedTable::open(file("layers.npy"), TableLayout::LayerMajor), ReaderKind::Pread, tokens);
        QVERIFY(std::ranges::equal(std::span(wanted).first(kWidth), rows()(0, 10)));
        QVERIFY(read(EmbedTable::open(file("tokens.npy"), TableLayout::TokenMajor), ReaderKind::Pread, tokens) == wanted);
        QVERIFY(read(EmbedTable::open(file("rwkv.safetensors")), ReaderKind::Pread, tokens) == wanted);
        QCOMPARE(refused("layers.npy"), ErrorCode::InvalidParameter); // it does not name its layout
    }
    void refusesWhatIsNoTable()
    {
        const std::map<std::string, std::string> layer{{"layout", "layer-major"}};
        write("two.safetensors", {{"deep_embed", DType::F32, {3, 4}}}, layer);
        write("empty.safetensors", {{"deep_embed", DType::F32, {3, 0, 4}}}, layer);
        write("words.safetensors", {{"deep_embed", DType::I64, {3, 2, 4}}}, layer);
        write("unnamed.safetensors", {{"deep_embed", DType::F32, {3, 2, 4}}}, {});
        write("misnamed.safetensors", {{"deep_embed", DType::F32, {3, 2, 4}}}, {{"layout", "token_major"}});
        write("other.safetensors", {{"weight", DType::F32, {3, 2, 4}}}, {});
        write("gap.safetensors", {{"blocks.0.ffn.enn.weight", DType::F32, {3, 2}}, {"blocks.2.ffn.enn.weight", DType::F32, {3, 2}}}, {});
        write("uneven.safetensors", {{"blocks.0.ffn.enn.weight", DType::F32, {3, 2}}, {"blocks.1.ffn.enn.weight", DType::F32, {3, 4}}}, {});
        write("mixed.safetensors", {{"blocks.0.ffn.enn.weight", DType::F32, {3, 2}}, {"blocks.1.ffn.enn.weight", DType::F16, {3, 2}}}, {});
        write("far.safetensors", {{"blocks.99999999.ffn.enn.weight", DType::F32, {3, 2}}}, {});
        write("zeros.safetensors", {{"blocks.00.ffn.enn.weight", DType::F32, {3, 2}}}, {});
        write("deep.safetensors", {{"deep_embed", DType::F16, {kMaximumTableLayers + 1, 1, 1}}}, layer);
        for (const char* name : {"two", "empty", "unnamed", "misnamed", "other", "gap", "uneven", "mixed", "far", "zeros"})
            QVERIFY2(refused((std::string(name) + ".safetensors").c_str()) == ErrorCode::MalformedFile, name);
        QCOMPARE(refused("words.safetensors"), ErrorCode::UnsupportedFeature);
        QCOMPARE(refused("deep.safetensors"), ErrorCode::LimitExceeded);
        QCOMPARE(refused("missing.safetensors"), ErrorCode::IoFailure);
        io::writeNpy(file("flat.npy"), std::span<const float>(m_values).first(12), {3, 4});
        QCOMPARE(refused("flat.npy", TableLayout::LayerMajor), ErrorCode::MalformedFile);
        io::writeNpy(file("wide.npy"), std::vector<double>(24), {2, 3, 4});
        QCOMPARE(refused("wide.npy", TableLayout::LayerMajor), ErrorCode::UnsupportedFeature);
    }
    void everyCutAndFlippedHeaderIsRefusedOrRead()
    {
        writeEmbedTable(file("good.safetensors"), {kLayers, kTokens, kWidth, DType::F16, TableLayout::TokenMajor}, rows());
        std::ifstream stream(file("good.safetensors"), std::ios::binary);
        const std::string good((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
        std::mt19937 random(8);
        int opened = 0;
        for (int round = 0; round < 400; ++round) {
            std::string bad = good;
            if (round % 4 == 0)
                bad.resize(random() % bad.size());
            else
                for (unsigned flips = 0; flips <= random() % 3; ++flips)
                    bad[random() % 160] = static_cast<char>(random() & 0xFFU); // length and the head of the JSON
            std::ofstream(file("bad.safetensors"), std::ios::binary | std::ios::trunc) << bad;
            try {
                const EmbedTable table = EmbedTable::open(file("bad.safetensors"));
                const auto& shape = table.shape();
                QVERIFY(table.row(shape.layers - 1, shape.tokens - 1).offset + shape.rowBytes() <= bad.size()); // no row lies beyond the file
                ++opened;
            } catch (const Error&) {
            }
        }
        QVERIFY(opened < 400);
    }
    void valuesThatHaveNoPlaceAreRefused()
    {
        std::vector<float> row(kWidth, 1.0F);
        const RowValues same = [&](std::int64_t, std::int64_t) { return std::span<const float>(row); };
        row[3] = 70000;
        QVERIFY_THROWS_EXCEPTION(Error, writeEmbedTable(file("half.safetensors"), {1, 2, kWidth, DType::F16, TableLayout::TokenMajor}, same));
        writeEmbedTable(file("float.safetensors"), {1, 2, kWidth, DType::F32, TableLayout::TokenMajor}, same);
        row[3] = std::nanf("");
        QVERIFY_THROWS_EXCEPTION(Error, writeEmbedTable(file("float.safetensors"), {1, 2, kWidth, DType::F32, TableLayout::TokenMajor}, same));
        QVERIFY_THROWS_EXCEPTION(Error, writeEmbedTable(file("float.safetensors"), {1, 2, kWidth + 1, DType::F32, TableLayout::TokenMajor}, same));
        QVERIFY_THROWS_EXCEPTION(Error, writeEmbedTable(file("float.safetensors"), {0, 2, kWidth, DType::F32, TableLayout::TokenMajor}, same));
        // a table with NaN from elsewhere
        std::vector<float> values(8, 1.0F);
        values[5] = std::nanf("");
        io::writeNpy(file("nan.npy"), values, {2, 2, 2});
        const EmbedTable table = EmbedTable::open(file("nan.npy"), TableLayout::TokenMajor);
        const auto reader = openReader(ReaderKind::Pread, table.path());
        const TokenScales fine(table, *reader, std::vector<std::int32_t>{0});
        QCOMPARE(fine.row(1, 0)[1], 1.0F);
        QVERIFY_THROWS_EXCEPTION(Error, TokenScales(table, *reader, std::vector<std::int32_t>{1}));
        QVERIFY_THROWS_EXCEPTION(Error, TokenScales(table, *reader, std::vector<std::int32_t>{2}));
    }
};

QTEST_APPLESS_MAIN(TstEmbedTable)
#include "tst_embed_table.moc"
