// SPDX-License-Identifier: GPL-3.0-or-later
// Multiply-adds against sums written out here from the sizes of the model and what each frame computed: none of the product's formulas.
#include "core/reuse/block_match.h"
#include "core/reuse/token_hash.h"
#include "tests/core/reuse/frames.h"

#include <QTest>

#include <algorithm>
#include <array>
#include <map>

using namespace tamis;
using namespace tamis::reuse;
using report::FrameResult;
using report::PatchSource;
using test::runOne;

namespace {
// vit20: 64 x 64 pixels in 256 patches of 4 x 4 x 3, width 128, six blocks with MLPs four times as wide, 20 classes; a class token before the patches.
struct Sizes {
    double pixels = 64 * 64, patches = 256, tokens = 257, patchValues = 48, width = 0, hidden = 0, blocks = 0, classes = 0;
    Sizes()
    {
        const nn::ModelSpec& spec = test::vit20()->spec();
        width = static_cast<double>(spec.width);
        blocks = static_cast<double>(test::vit20()->blocks().size());
        hidden = static_cast<double>(test::vit20()->blocks().front().spec.mlp.hidden);
        classes = static_cast<double>(spec.classes);
    }
    double embedding() const { return patches * patchValues * width; }
    double linear() const { return 4 * width * width + 2 * width * hidden; } ///< of a token in a block
    /// n tokens through all blocks, each seeing all.
    double through(double n) const { return blocks * (n * linear() + 2 * n * tokens * width); }
    double head() const { return width * classes; }
    double whole() const { return embedding() + through(tokens) + head(); }
};

double computed(const FrameResult& frame) { return static_cast<double>(std::ranges::count(frame.patches, PatchSource::Computed)); }
tensor::Matrix<float> greyOfFrame(const FrameSequence& sequence, std::size_t i) { return greyOf(sequence.frames[i].image, sequence.preprocess); }
} // namespace

class TstReuseMacs : public QObject {
    Q_OBJECT

private slots:
    /// Embedding; a square of the difference and a square of the reference for every feature; the changed patches with the class token.
    void gates()
    {
        const Sizes of;
        const auto run = runOne(test::motionPart(10, 20), "reuse.gate", {{"whole-above", "1"}});
        bool stills = false, some = false;
        for (std::size_t i = 1; i < run.frames.size(); ++i) {
            const FrameResult& frame = run.frames[i];
            const double gate = 2 * of.patches * of.width, rows = computed(frame);
            QCOMPARE(frame.overheadMacs, gate);
            QCOMPARE(frame.macs, of.embedding() + gate + (rows > 0 ? of.through(rows + 1) + of.head() : 0));
            (rows > 0 ? some : stills) = true;
        }
        QVERIFY(stills && some);
        QCOMPARE(run.frames[0].macs, of.whole());
        QCOMPARE(run.frames[0].overheadMacs, 0.0);
    }

    /// Three gates a block, each over all tokens; r patches and the class token behind each; rows and columns of scores, and two products with the values, of
    /// the r + 1 tokens that passed the first.
    void eventfulTransformers()
    {
        const Sizes of;
        const double r = 20;
        const auto run = runOne(test::motionPart(2, 6), "reuse.eventful", {{"policy", "top-r"}, {"r", "20"}, {"whole-above", "1"}});
        for (std::size_t i = 1; i < run.frames.size(); ++i) {
            const FrameResult& frame = run.frames[i];
            QCOMPARE(computed(frame), r);
            const double gates = of.blocks * 3 * 2 * of.tokens * of.width;
            QCOMPARE(frame.overheadMacs, gates);
            const double pairs = 2 * (r + 1) * of.tokens * of.width; // rows and columns of all heads
            QCOMPARE(frame.macs, of.embedding() + gates + of.blocks * ((r + 1) * of.linear() + 2 * pairs) + of.head());
        }
        QCOMPARE(run.frames[0].macs, of.whole());
    }

    /// Three a pixel for grey, the differences of the search, six a pixel for the mean motion and what is left of it, four a feature that is moved.
    void blockMatches()
    {
        const Sizes of;
        const auto sequence = test::motionPart(3, 4);
        const auto run = runOne(sequence, "reuse.block-match", {{"range", "1.5"}, {"margin", "0.5"}, {"whole-above", "1"}});
        double differences = 0;
        matchBlocks(greyOfFrame(sequence, 1).view(), greyOfFrame(sequence, 0).view(), 16, 16, {6, 2, BlockSearch::Exhaustive, true}, &differences);
        const double rows = computed(run.frames[1]), moved = of.patches * of.width * (1 + 2 * of.blocks) * 4;
        QVERIFY(rows > 0 && rows < 256);
        QCOMPARE(run.frames[1].overheadMacs, 9 * of.pixels + differences + moved);
        QCOMPARE(run.frames[1].macs, run.frames[1].overheadMacs + rows * of.patchValues * of.width + of.through(rows + 1) + of.head());
    }

    void keyFrames()
    {
        const Sizes of;
        const auto run = runOne(test::motionPart(3, 6), "reuse.key-frames", {{"rule", "histogram"}, {"histogram", "1"}});
        QCOMPARE(run.frames[0].macs, 3 * of.pixels + of.whole());
        QCOMPARE(run.frames[2].macs, 3 * of.pixels + 2 * of.pixels + 64); // two histograms and their 64 differences
        QCOMPARE(run.frames[2].overheadMacs, run.frames[2].macs);
    }

    /// A pixel: three for grey, one for means of four, one for what is left, and one a channel for the small picture.
    void pyramids()
    {
        const Sizes of;
        const auto run = runOne(test::motionPart(0, 1), "reuse.pyramid", {{"residual", "255"}});
        const double quarter = of.patches / 4, n = quarter + 1;
        QCOMPARE(run.frames[1].overheadMacs, 8 * of.pixels);
        QCOMPARE(run.frames[1].macs, 8 * of.pixels + quarter * of.patchValues * of.width + of.blocks * (n * of.linear() + 2 * n * n * of.width) + of.head());
    }

    /// Hashes of patches of 4 x 4: each of 9 means across lies over one pixel or two, 4 + 8 in all, and so do 8 down, 8. One comparison for the entry in the cell.
    void keysOfPixels()
    {
        const Sizes of;
        const auto run = runOne(test::motionPart(3, 4), "reuse.content-key", {{"of", "patch"}, {"key", "dhash"}, {"radius", "4"}});
        const double hash = 4 * 12 + 8 * 9 + 64;
        QCOMPARE(run.frames[0].overheadMacs, 3 * of.pixels + of.patches * hash);
        QCOMPARE(run.frames[1].overheadMacs, 3 * of.pixels + of.patches * (hash + 1));
        QCOMPARE(run.frames[1].macs, of.embedding() + run.frames[1].overheadMacs + of.through(computed(run.frames[1]) + 1) + of.head());
    }

    /// Axes of the first frame; then every patch against all entries that share its one bit, feature by feature: those are counted here.
    void keysOfComponents()
    {
        const Sizes of;
        const auto sequence = test::motionPart(3, 4);
        const auto run = runOne(sequence, "reuse.content-key", {{"of", "patch"}, {"key", "pca-lsh"}, {"tables", "1"}, {"bits", "1"}, {"components", "4"}, {"anywhere", "true"}, {"seed", "3"}});
        const TokenModel model(test::vit20());
        nn::Scratch scratch;
        PrincipalAxes axes;
        const Hyperplanes planes(1, 1, 4, 3);
        std::vector<std::array<double, 2>> counts; // of each frame's patches by their bit
        for (std::size_t i = 0; i < 2; ++i) {
            tensor::Matrix<float> x(257, model.width());
            model.embed(sequence.frames[i].image, x.view(), scratch);
            for (std::int64_t p = 0; p < 256; ++p)
                for (std::int64_t j = 0; j < model.width(); ++j)
                    x(1 + p, j) -= model.embedding().positions()(p, j);
            if (axes.empty())
                axes = PrincipalAxes({x.data() + x.cols(), 256, x.cols(), x.cols()}, 4);
            counts.push_back({});
            std::vector<float> point(4);
            for (std::int64_t p = 0; p < 256; ++p) {
                axes.project(x.view().row(1 + p), point);
                counts.back()[planes.keys(point)[0] & 1U] += 1;
            }
        }
        const double keys = of.patches * (of.width + 5 * of.width + 4); // without its position; less the mean, on four axes; one hyperplane
        const double fit = of.patches * of.width * (2 + (of.width + 1) / 2) + 3 * of.width * of.width * of.width; // means, differences, a triangle of products; 3 n^3 for the eigenvectors
        QCOMPARE(run.frames[0].overheadMacs, fit + keys); // nothing to compare with
        QCOMPARE(run.frames[1].overheadMacs, keys + of.width * (counts[0][0] * counts[1][0] + counts[0][1] * counts[1][1]));
    }
};

QTEST_GUILESS_MAIN(TstReuseMacs)
#include "tst_reuse_macs.moc"
