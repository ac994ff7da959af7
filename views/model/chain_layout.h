// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Where the boxes of a layer chain stand. Plain values: no widget, no painter.
#include "core/report/model_report.h"

#include <QRectF>
#include <QString>

#include <set>
#include <vector>

namespace tamis::views {

/// Expanded: every block shows its layers. Folded: every block is one narrow box. Repeated: consecutive blocks that cost the
/// same and look the same stand as one, "× 6".
enum class ChainFolding { Expanded, Folded, Repeated };

struct ChainBox {
    enum class Kind { Header, Layer, Block };
    Kind kind = Kind::Layer;
    QRectF rect;             ///< device-independent pixels at zoom 1
    int column = 0, row = 0; ///< for the arrow keys; boxes of one row stand side by side
    std::vector<int> layers; ///< into the report; several: the same layer of repeated blocks, or a whole block
};

/// A branch that is added back: from above its first box to below its last.
struct ResidualArc {
    double x = 0, top = 0, bottom = 0; ///< x: of the boxes' left edge; the arc bulges to the left
};

struct ChainColumn {
    QRectF frame;                      ///< null: layers outside the blocks have no frame
    int firstBlock = -1, lastBlock = -1;
    int runStart = -1;                 ///< first block of the run of like blocks: what folding is remembered by
    bool folded = false, repeated = false;
    QRectF fold;                       ///< where a click folds and unfolds; null outside the blocks
    std::vector<ResidualArc> arcs;
    QRectF content;                    ///< of its boxes, frame or not: what the arrows between columns join
};

struct ChainLayout {
    std::vector<ChainBox> boxes;       ///< column by column, from the top
    std::vector<ChainColumn> columns;
    QSizeF size;                       ///< margins included

    int boxAt(const QPointF& position) const;      ///< -1: none
    int columnToFold(const QPointF& position) const; ///< -1: none
    /// Next box in a direction (-1, 0, 1 in columns and rows); `from` itself at an end. The nearest row of the next column.
    int neighbour(int from, int columns, int rows) const;
};

/// `toggled`: first blocks of runs (Repeated) or blocks (otherwise) that are not as `folding` says. `line`: height of a line
/// of text, pixels. Layers stand in the order of the report; a merge and the norm before it stand outside the blocks.
ChainLayout layOutChain(const report::ModelCostReport& report, ChainFolding folding, const std::set<int>& toggled, double line);

} // namespace tamis::views
