// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/token_report.h"

#include <QColor>
#include <QImage>
#include <QRectF>

#include <memory>
#include <utility>
#include <vector>

class QPainter;

namespace tamis::views {

/// What is laid over the photo.
enum class TokenShade {
    Tokens, ///< merged groups in their mean colour, pruned ones hatched
    Scores, ///< what the reduction went by
    Photo,  ///< outlines alone
    Unmerged ///< how far the features at the end, spread back to the grid, are from the whole model's
};

/// How the tokens of one photo lie on it at a depth: 0 before the first block, d behind block d - 1. Patches are counted row by row, without
/// the prefix. A value that needs no widget: overlays, thumbnails and exported pictures are drawn by it.
class TokenPicture {
public:
    TokenPicture() = default;
    /// Empty for no overlay, and for one whose layers do not fit its grid. `photo`: what the model sees, at any resolution; null: none yet.
    TokenPicture(std::shared_ptr<const report::TokenOverlay> overlay, const QImage& photo);

    bool isEmpty() const noexcept { return !m_overlay; }
    const std::shared_ptr<const report::TokenOverlay>& overlay() const noexcept { return m_overlay; }
    const QImage& photo() const noexcept { return m_photo; }
    int blocks() const noexcept { return m_overlay ? static_cast<int>(m_overlay->layers.size()) : 0; }
    /// The depth behind the last block that was run: less than blocks() where a method leaves early. Deeper ones show the same tokens.
    int runBlocks() const noexcept { return m_depths.empty() ? 0 : static_cast<int>(m_depths.size()) - 1; }
    bool wasRun(int depth) const noexcept { return depth <= runBlocks(); }
    int rows() const noexcept { return m_overlay ? static_cast<int>(m_overlay->gridRows) : 0; }
    int columns() const noexcept { return m_overlay ? static_cast<int>(m_overlay->gridCols) : 0; }
    int patches() const noexcept { return rows() * columns(); }
    int prefix() const noexcept { return m_overlay ? static_cast<int>(m_overlay->prefix) : 0; }

    std::int64_t tokens(int depth) const; ///< prefix included
    int groupOf(int depth, int patch) const;               ///< the token that holds it, -1: pruned
    const std::vector<int>& members(int depth, int group) const; ///< patches; empty for a group that is none
    double sizeOf(int depth, int group) const;             ///< source tokens that it stands for
    QColor meanColor(int depth, int group) const;          ///< of the photo under its patches; invalid without a photo
    /// The block whose scores are shown at a depth: the last one before it that reduced by any; -1: none.
    int scoreBlock(int depth) const;
    double score(int depth, int patch) const; ///< of scoreBlock(depth); NaN: none
    std::pair<double, double> scoreRange(int depth) const; ///< of patches; (0, 1) where there are none
    QColor scoreColor(int depth, int patch) const;         ///< invalid: none
    bool hasUnmerged() const noexcept { return m_overlay && !m_overlay->unmergedShift.empty(); }
    double unmerged(int patch) const; ///< 1 - cosine of its features at the end, whatever the depth; NaN: not known
    double mostUnmerged() const noexcept { return m_mostUnmerged; } ///< of all patches; 0: none is known
    QColor unmergedColor(int patch) const; ///< invalid: not known
    /// Whether the border between two neighbours belongs to a merged group: they differ and one of them has company.
    bool isOutlined(int depth, int patch, int other) const;

    QRectF patchRect(const QRectF& place, int patch) const; ///< of the photo drawn in `place`
    /// The patch here at the place of `patch` on the grid of `other`, which may be finer or coarser: where its centre lies. -1 for none.
    int patchAtThatOf(const TokenPicture& other, int patch) const;
    /// Photo and tokens in `place`; wishes are drawn by who takes them.
    void paint(QPainter& painter, const QRectF& place, int depth, TokenShade shade) const;
    /// A line around `patches` in the colours that stand out on any photo.
    void paintOutline(QPainter& painter, const QRectF& place, const std::vector<int>& patches, const QColor& color, double width) const;

private:
    struct Depth {
        std::vector<int> group;                ///< [patches]
        std::vector<std::vector<int>> members; ///< [tokens]
        std::vector<double> sizes;             ///< [tokens]
        std::vector<QColor> colors;            ///< [tokens], invalid for the prefix and without a photo
        std::int64_t tokens = 0;
        int scoreBlock = -1;
        double low = 0, high = 1;
    };
    void addDepth(const std::vector<std::int32_t>* group, const std::vector<float>* sizes, std::int64_t tokens);
    void measurePhoto();
    void paintPruned(QPainter& painter, const QRectF& place, int patch) const;
    void paintBorders(QPainter& painter, const QRectF& place, int depth, bool grid) const;

    std::shared_ptr<const report::TokenOverlay> m_overlay;
    QImage m_photo;
    struct Sum {
        double red = 0, green = 0, blue = 0;
    };
    std::vector<Sum> m_means; ///< [patches] of the photo; empty without one
    std::vector<Depth> m_depths;
    double m_mostUnmerged = 0;
};

/// Blocks before the first that was not run (no token left it); all of them as a rule.
std::size_t blocksRun(const report::TokenOverlay& overlay);
/// "row 3, column 5", from 1.
QString patchName(const TokenPicture& picture, int patch);
/// What is kept: a row a source token with the token that holds it behind each block, -1 where it is pruned.
QString tokensCsv(const report::TokenOverlay& overlay);
/// The same and all else of the overlay as JSON (UTF-8, indented); `wishes` [source tokens] or empty.
QByteArray tokensJson(const report::TokenOverlay& overlay, const std::vector<report::TokenWish>& wishes);

} // namespace tamis::views
