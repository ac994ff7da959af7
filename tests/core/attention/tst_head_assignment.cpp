// SPDX-License-Identifier: GPL-3.0-or-later
// Operators by block and by head: the same one everywhere is the whole one, the last choice wins, what is not there is refused.
#include "core/attention/assignment.h"
#include "core/base/error.h"
#include "core/io/checkpoint.h"

#include <QTest>

#include <cmath>
#include <random>

using namespace tamis;
using namespace tamis::attention;

namespace {
HeadChoice choice(int block, std::int64_t head, const char* method, const char* name = nullptr, std::int64_t value = 0)
{
    HeadChoice made{block, head, method, {}};
    if (name)
        made.parameters.set(name, value);
    return made;
}

tensor::Matrix<float> noise(std::int64_t rows, std::int64_t cols, unsigned seed)
{
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    tensor::Matrix<float> x(rows, cols);
    for (float& value : x.values())
        value = normal(random);
    return x;
}

struct Rows {
    tensor::Matrix<float> q, k, v;
    explicit Rows(const nn::AttentionSpec& spec)
        : q(noise(70, spec.heads * spec.headDim, 1)), k(noise(70, spec.keyValueHeads * spec.headDim, 2)), v(noise(70, spec.keyValueHeads * spec.headDim, 3))
    {
    }
    nn::AttentionInput input() const { return {.q = q.view(), .k = k.view(), .v = v.view()}; }
    tensor::Matrix<float> mixed(const nn::AttentionOp& op, bool parallel = true) const
    {
        tensor::Matrix<float> out(q.rows(), q.cols());
        nn::Scratch scratch(parallel);
        op.apply(input(), out.view(), scratch);
        return out;
    }
};

double largestDifference(const tensor::Matrix<float>& a, const tensor::Matrix<float>& b)
{
    double most = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        most = std::max(most, std::abs(static_cast<double>(a.data()[i]) - static_cast<double>(b.data()[i])));
    return most;
}
} // namespace

class TstHeadAssignment : public QObject {
    Q_OBJECT
    std::shared_ptr<const nn::Model> m_photos, m_texts;

    const nn::AttentionSpec& specOf(const nn::Model& model) const { return model.spec().blocks[1].attention; }
    std::vector<HeadChoice> eachHead(const nn::Model& model, const HeadChoice& of) const
    {
        std::vector<HeadChoice> all;
        for (std::int64_t head = 0; head < specOf(model).heads; ++head) {
            all.push_back(of);
            all.back().head = head;
        }
        return all;
    }

private slots:
    void initTestCase()
    {
        m_photos = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20"));
        m_texts = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/tinylm")); // two heads a group
    }
    void byHeadOfOneOperatorIsThatOperator_data()
    {
        QTest::addColumn<bool>("photos");
        QTest::addColumn<QString>("method");
        QTest::newRow("band") << true << "attention.band";
        QTest::newRow("nystrom") << true << "attention.nystrom";
        QTest::newRow("linear") << true << "attention.linear";
        QTest::newRow("grouped band") << false << "attention.band";
        QTest::newRow("grouped linear") << false << "attention.linear";
        QTest::newRow("grouped mean") << false << "attention.mean-value";
    }
    void byHeadOfOneOperatorIsThatOperator()
    {
        QFETCH(bool, photos);
        QFETCH(QString, method);
        const nn::Model& model = photos ? *m_photos : *m_texts;
        const std::string id = method.toStdString();
        const Rows rows(specOf(model));
        const auto whole = operatorsFor(model, {{choice(1, kAllHeads, id.c_str())}})[1], heads = operatorsFor(model, eachHead(model, choice(1, 0, id.c_str())))[1];
        QCOMPARE(heads->kind(), std::string_view("by-head"));
        QCOMPARE(heads->heads(), whole->heads());
        // One head's rows have the same strides in both: the same products, to the rounding of how they are spread over threads.
        QVERIFY(largestDifference(rows.mixed(*whole), rows.mixed(*heads)) < 1e-6);
        QVERIFY(largestDifference(rows.mixed(*heads), rows.mixed(*heads, false)) < 1e-6);
        for (std::int64_t head = 0; head < heads->heads(); ++head)
            QVERIFY(largestDifference(whole->map(rows.input(), head, 0), heads->map(rows.input(), head, 0)) < 1e-6);
        QCOMPARE(heads->cost(70).macs, whole->cost(70).macs);
    }
    void headsWithoutAChoiceStayExact()
    {
        const Rows rows(specOf(*m_texts));
        const auto op = operatorsFor(*m_texts, {{choice(1, 2, "attention.zero")}})[1];
        const auto exact = rows.mixed(*nn::exactAttention(specOf(*m_texts))), found = rows.mixed(*op);
        const std::int64_t dim = specOf(*m_texts).headDim;
        for (std::int64_t i = 0; i < exact.rows(); ++i)
            for (std::int64_t j = 0; j < exact.cols(); ++j)
                if (j / dim == 2)
                    QCOMPARE(found(i, j), 0.0F);
                else
                    QVERIFY(std::abs(found(i, j) - exact(i, j)) < 1e-5F); // other tiles of heads: another order of sums
    }
    void theLastChoiceWins()
    {
        const nn::Model& model = *m_photos;
        const Rows rows(specOf(model));
        const auto kindOf = [&](std::vector<HeadChoice> choices) {
            const auto op = operatorsFor(model, choices)[1];
            return op ? std::string(op->kind()) : std::string();
        };
        QCOMPARE(kindOf({choice(1, kAllHeads, "attention.linear"), choice(1, kAllHeads, "attention.zero")}), std::string("zero"));
        QCOMPARE(kindOf({choice(1, 0, "attention.linear"), choice(1, kAllHeads, "attention.zero")}), std::string("zero")); // a whole block after a head takes all
        QCOMPARE(kindOf({choice(1, kAllHeads, "attention.zero"), choice(1, kAllHeads, "")}), std::string());              // back to the model's own
        QCOMPARE(kindOf({choice(2, kAllHeads, "attention.zero")}), std::string());
        const auto mixed = operatorsFor(model, {{choice(1, kAllHeads, "attention.zero"), choice(1, 3, "attention.band", "reach", 1), choice(1, 3, "attention.band", "reach", 200)}})[1];
        const auto out = rows.mixed(*mixed), exact = rows.mixed(*nn::exactAttention(specOf(model)));
        const std::int64_t dim = specOf(model).headDim;
        for (std::int64_t i = 0; i < out.rows(); ++i) {
            QCOMPARE(out(i, 0), 0.0F);
            QVERIFY(std::abs(out(i, 3 * dim) - exact(i, 3 * dim)) < 1e-5F); // a reach of 200 sees all 70
        }
    }
    void blocksAreNamedOnce()
    {
        QCOMPARE(blocksOf(std::vector{choice(3, 0, ""), choice(1, 1, ""), choice(3, 2, "")}), (std::vector{1, 3}));
        QCOMPARE(everywhere(*m_photos, "attention.zero", {}, {}).size(), std::size_t{6});
        QCOMPARE(everywhere(*m_photos, "attention.zero", {}, std::vector{4}).front(), choice(4, kAllHeads, "attention.zero"));
        QVERIFY(!needsSamples(std::vector{choice(0, kAllHeads, "attention.band")}));
    }
    void whatIsNotThereIsRefused_data()
    {
        QTest::addColumn<int>("block");
        QTest::addColumn<int>("head");
        QTest::addColumn<QString>("method");
        QTest::addColumn<QString>("says");
        QTest::newRow("block beyond the last") << 6 << -1 << "attention.zero" << "found block 6, expected 0 to 5";
        QTest::newRow("block before the first") << -1 << -1 << "attention.zero" << "found block -1, expected 0 to 5";
        QTest::newRow("head beyond the last") << 0 << 4 << "attention.zero" << "found head 4, expected 0 to 3";
        QTest::newRow("head before the first") << 0 << -2 << "attention.zero" << "found head -2, expected 0 to 3";
        QTest::newRow("method") << 0 << 1 << "attention.none" << "found method 'attention.none'";
    }
    void whatIsNotThereIsRefused()
    {
        QFETCH(int, block);
        QFETCH(int, head);
        QFETCH(QString, method);
        QFETCH(QString, says);
        try {
            (void)operatorsFor(*m_photos, {{choice(block, head, method.toStdString().c_str())}});
            QFAIL("taken");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::InvalidParameter);
            QVERIFY2(QString(error.what()).contains(says), error.what());
        }
    }
    void operatorsMustBeOneAHead()
    {
        QVERIFY_EXCEPTION_THROWN(byHead(specOf(*m_photos), {nn::exactAttention(specOf(*m_photos))}), Error);
        nn::AttentionSpec windows = specOf(*m_photos);
        windows.window = 7;
        QVERIFY_EXCEPTION_THROWN(byHead(windows, {}), Error);
    }
};

QTEST_APPLESS_MAIN(TstHeadAssignment)
#include "tst_head_assignment.moc"
