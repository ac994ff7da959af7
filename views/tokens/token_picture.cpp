// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/tokens/token_picture.h"

#include "views/common/theme.h"

#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kDimmed = 0.68;      ///< opacity of what lies over a pruned patch
constexpr double kHatchStep = 7;      ///< pixels between the lines over pruned patches
constexpr double kNotRun = 0.45;      ///< opacity of what lies over a photo behind a block that was not run
constexpr double kScoreOpaque = 0.78; ///< of the heat map over the photo
constexpr double kSmallCell = 5;      ///< patches smaller than this have no lines of their own
constexpr double kFineCell = 8;       ///< and smaller than this fine ones

/// Whether each layer's vectors have the sizes that the grid asks for and name tokens that there are.
bool fits(const report::TokenOverlay& overlay)
{
    if (overlay.gridRows <= 0 || overlay.gridCols <= 0 || overlay.prefix < 0)
        return false;
    if (!overlay.unmergedShift.empty() && overlay.unmergedShift.size() != static_cast<std::size_t>(overlay.gridRows * overlay.gridCols))
        return false;
    const auto sources = static_cast<std::size_t>(overlay.prefix + overlay.gridRows * overlay.gridCols);
    return std::ranges::all_of(overlay.layers, [&](const report::TokenLayer& layer) {
        return layer.group.size() == sources && (layer.scores.empty() || layer.scores.size() == sources) &&
               layer.sizes.size() == static_cast<std::size_t>(std::max<std::int64_t>(layer.after, 0)) &&
               std::ranges::all_of(layer.group, [&](std::int32_t group) { return group >= -1 && group < layer.after; });
    });
}

QColor faded(QColor color, double opacity)
{
    color.setAlphaF(static_cast<float>(opacity));
    return color;
}
} // namespace

TokenPicture::TokenPicture(std::shared_ptr<const report::TokenOverlay> overlay, const QImage& photo)
{
    if (!overlay || !fits(*overlay))
        return;
    m_overlay = std::move(overlay);
    m_photo = photo.isNull() ? photo : photo.convertToFormat(QImage::Format_RGB32);
    measurePhoto();
    addDepth(nullptr, nullptr, prefix() + patches());
    for (std::size_t block = 0; block < blocksRun(*m_overlay); ++block)
        addDepth(&m_overlay->layers[block].group, &m_overlay->layers[block].sizes, m_overlay->layers[block].after);
    for (const float shift : m_overlay->unmergedShift)
        if (std::isfinite(shift))
            m_mostUnmerged = std::max<double>(m_mostUnmerged, shift);
}

std::size_t blocksRun(const report::TokenOverlay& overlay)
{
    std::size_t blocks = overlay.layers.size();
    while (blocks > 0 && overlay.layers[blocks - 1].after == 0)
        --blocks;
    return blocks;
}

void TokenPicture::measurePhoto()
{
    if (m_photo.isNull())
        return;
    m_means.resize(static_cast<std::size_t>(patches()));
    const auto edge = [](int at, int count, int pixels) { return static_cast<int>(static_cast<std::int64_t>(at) * pixels / count); };
    for (int patch = 0; patch < patches(); ++patch) {
        const int top = edge(patch / columns(), rows(), m_photo.height()), left = edge(patch % columns(), columns(), m_photo.width());
        const int bottom = std::max(edge(patch / columns() + 1, rows(), m_photo.height()), std::min(top + 1, m_photo.height()));
        const int right = std::max(edge(patch % columns() + 1, columns(), m_photo.width()), std::min(left + 1, m_photo.width()));
        Sum sum;
        for (int y = top; y < bottom; ++y) {
            const auto* line = reinterpret_cast<const QRgb*>(m_photo.constScanLine(y));
            for (int x = left; x < right; ++x) {
                sum.red += qRed(line[x]);
                sum.green += qGreen(line[x]);
                sum.blue += qBlue(line[x]);
            }
        }
        const double pixels = std::max(1.0, static_cast<double>(bottom - top) * (right - left));
        m_means[static_cast<std::size_t>(patch)] = {sum.red / pixels, sum.green / pixels, sum.blue / pixels};
    }
}

void TokenPicture::addDepth(const std::vector<std::int32_t>* group, const std::vector<float>* sizes, std::int64_t tokens)
{
    Depth depth;
    depth.tokens = tokens;
    depth.members.resize(static_cast<std::size_t>(tokens));
    depth.colors.resize(static_cast<std::size_t>(tokens));
    for (int patch = 0; patch < patches(); ++patch) {
        const int source = prefix() + patch;
        depth.group.push_back(group ? (*group)[static_cast<std::size_t>(source)] : source);
        if (depth.group.back() >= 0)
            depth.members[static_cast<std::size_t>(depth.group.back())].push_back(patch);
    }
    for (std::size_t token = 0; token < depth.members.size(); ++token) {
        depth.sizes.push_back(sizes ? static_cast<double>((*sizes)[token]) : 1);
        if (m_means.empty() || depth.members[token].empty())
            continue;
        Sum sum;
        for (const int patch : depth.members[token]) {
            const Sum& mean = m_means[static_cast<std::size_t>(patch)];
            sum = {sum.red + mean.red, sum.green + mean.green, sum.blue + mean.blue};
        }
        const auto channel = [&](double value) { return static_cast<int>(std::lround(value / static_cast<double>(depth.members[token].size()))); };
        depth.colors[token] = QColor(channel(sum.red), channel(sum.green), channel(sum.blue));
    }
    const int at = static_cast<int>(m_depths.size());
    for (int block = at - 1; block >= 0 && depth.scoreBlock < 0; --block) {
        const auto& scores = m_overlay->layers[static_cast<std::size_t>(block)].scores;
        double low = INFINITY, high = -INFINITY;
        for (auto source = static_cast<std::size_t>(prefix()); source < scores.size(); ++source)
            if (std::isfinite(scores[source])) {
                low = std::min<double>(low, scores[source]);
                high = std::max<double>(high, scores[source]);
            }
        if (low > high)
            continue;
        depth.scoreBlock = block;
        depth.low = low;
        depth.high = high;
    }
    m_depths.push_back(std::move(depth));
}

namespace {
template <class Depths> const auto& at(const Depths& depths, int depth)
{
    return depths[static_cast<std::size_t>(std::clamp(depth, 0, static_cast<int>(depths.size()) - 1))];
}
} // namespace

std::int64_t TokenPicture::tokens(int depth) const { return isEmpty() ? 0 : at(m_depths, depth).tokens; }

int TokenPicture::groupOf(int depth, int patch) const
{
    return isEmpty() || patch < 0 || patch >= patches() ? -1 : at(m_depths, depth).group[static_cast<std::size_t>(patch)];
}

const std::vector<int>& TokenPicture::members(int depth, int group) const
{
    static const std::vector<int> none;
    if (isEmpty() || group < 0 || group >= at(m_depths, depth).tokens)
        return none;
    return at(m_depths, depth).members[static_cast<std::size_t>(group)];
}

double TokenPicture::sizeOf(int depth, int group) const
{
    return isEmpty() || group < 0 || group >= at(m_depths, depth).tokens ? 0 : at(m_depths, depth).sizes[static_cast<std::size_t>(group)];
}

QColor TokenPicture::meanColor(int depth, int group) const
{
    return isEmpty() || group < 0 || group >= at(m_depths, depth).tokens ? QColor() : at(m_depths, depth).colors[static_cast<std::size_t>(group)];
}

int TokenPicture::scoreBlock(int depth) const { return isEmpty() ? -1 : at(m_depths, depth).scoreBlock; }

double TokenPicture::score(int depth, int patch) const
{
    const int block = scoreBlock(depth);
    if (block < 0 || patch < 0 || patch >= patches())
        return report::kNotMeasured;
    return m_overlay->layers[static_cast<std::size_t>(block)].scores[static_cast<std::size_t>(prefix() + patch)];
}

std::pair<double, double> TokenPicture::scoreRange(int depth) const
{
    return isEmpty() ? std::pair(0.0, 1.0) : std::pair(at(m_depths, depth).low, at(m_depths, depth).high);
}

QColor TokenPicture::scoreColor(int depth, int patch) const
{
    const double value = score(depth, patch);
    if (!std::isfinite(value))
        return {};
    const auto [low, high] = scoreRange(depth);
    return Theme::sequentialColor(high > low ? (value - low) / (high - low) : 0.5);
}

double TokenPicture::unmerged(int patch) const { return !hasUnmerged() || patch < 0 || patch >= patches() ? report::kNotMeasured : m_overlay->unmergedShift[static_cast<std::size_t>(patch)]; }

QColor TokenPicture::unmergedColor(int patch) const
{
    const double value = unmerged(patch);
    return std::isfinite(value) ? Theme::sequentialColor(m_mostUnmerged > 0 ? value / m_mostUnmerged : 0) : QColor();
}

bool TokenPicture::isOutlined(int depth, int patch, int other) const
{
    const int a = groupOf(depth, patch), b = groupOf(depth, other);
    return a != b && (members(depth, a).size() > 1 || members(depth, b).size() > 1);
}

QRectF TokenPicture::patchRect(const QRectF& place, int patch) const
{
    const double w = place.width() / std::max(columns(), 1), h = place.height() / std::max(rows(), 1);
    return {place.left() + patch % std::max(columns(), 1) * w, place.top() + patch / std::max(columns(), 1) * h, w, h};
}

int TokenPicture::patchAtThatOf(const TokenPicture& other, int patch) const
{
    if (isEmpty() || patch < 0 || patch >= other.patches())
        return -1;
    const std::int64_t row = (2 * static_cast<std::int64_t>(patch / other.columns()) + 1) * rows() / (2 * other.rows());
    const std::int64_t column = (2 * static_cast<std::int64_t>(patch % other.columns()) + 1) * columns() / (2 * other.columns());
    return static_cast<int>(row * columns() + column);
}

void TokenPicture::paint(QPainter& painter, const QRectF& place, int depth, TokenShade shade) const
{
    if (isEmpty())
        return;
    const auto& theme = Theme::instance();
    painter.save();
    // Far enlarged pixels stay pixels: smoothed they would look like more than the model sees.
    painter.setRenderHint(QPainter::SmoothPixmapTransform, m_photo.width() > 0 && place.width() < 4.0 * m_photo.width());
    if (m_photo.isNull())
        painter.fillRect(place, theme.color(Ink::Grid));
    else
        painter.drawImage(place, m_photo);
    painter.setRenderHint(QPainter::Antialiasing, false); // cells that meet leave no seams
    for (int patch = 0; patch < patches(); ++patch) {
        const int group = groupOf(depth, patch);
        const QRectF cell = patchRect(place, patch);
        if (shade == TokenShade::Tokens && members(depth, group).size() > 1 && meanColor(depth, group).isValid())
            painter.fillRect(cell, meanColor(depth, group));
        if (const QColor color = shade == TokenShade::Scores ? scoreColor(depth, patch) : shade == TokenShade::Unmerged ? unmergedColor(patch) : QColor(); color.isValid())
            painter.fillRect(cell, faded(color, kScoreOpaque));
        if (group < 0)
            painter.fillRect(cell, faded(theme.color(Ink::Panel), shade == TokenShade::Tokens ? kDimmed : kDimmed / 2));
    }
    painter.setRenderHint(QPainter::Antialiasing, true);
    if (place.width() / columns() >= kSmallCell / 2)
        for (int patch = 0; patch < patches(); ++patch)
            if (groupOf(depth, patch) < 0)
                paintPruned(painter, place, patch);
    paintBorders(painter, place, depth, shade != TokenShade::Photo && place.width() / columns() >= 2 * kSmallCell);
    if (!wasRun(depth))
        painter.fillRect(place, faded(theme.color(Ink::Panel), kNotRun));
    painter.restore();
}

/// Lines that go on from patch to patch.
void TokenPicture::paintPruned(QPainter& painter, const QRectF& place, int patch) const
{
    const QRectF cell = patchRect(place, patch);
    painter.setPen(QPen(faded(Theme::instance().color(Ink::Text), 0.55), 1));
    const double step = std::clamp(cell.width() / 2, 3.0, kHatchStep);
    for (double sum = std::ceil((cell.left() + cell.top()) / step) * step; sum < cell.right() + cell.bottom(); sum += step)
        painter.drawLine(QPointF(std::max(cell.left(), sum - cell.bottom()), std::min(cell.bottom(), sum - cell.left())),
                         QPointF(std::min(cell.right(), sum - cell.top()), std::max(cell.top(), sum - cell.right())));
}

void TokenPicture::paintBorders(QPainter& painter, const QRectF& place, int depth, bool grid) const
{
    const auto& theme = Theme::instance();
    std::vector<QLineF> thin, thick;
    const auto sort = [&](int patch, int other, const QLineF& line) {
        if (isOutlined(depth, patch, other))
            thick.push_back(line);
        else if (groupOf(depth, patch) != groupOf(depth, other))
            thin.push_back(line);
    };
    for (int patch = 0; patch < patches(); ++patch) {
        const QRectF cell = patchRect(place, patch);
        if (patch % columns() + 1 < columns())
            sort(patch, patch + 1, {cell.topRight(), cell.bottomRight()});
        if (patch + columns() < patches())
            sort(patch, patch + columns(), {cell.bottomLeft(), cell.bottomRight()});
    }
    const auto draw = [&](const std::vector<QLineF>& lines, const QColor& color, double width) {
        painter.setPen(QPen(color, width, Qt::SolidLine, Qt::SquareCap));
        painter.drawLines(lines.data(), static_cast<int>(lines.size()));
    };
    if (grid)
        draw(thin, faded(theme.color(Ink::Panel), 0.35), 1);
    if (place.width() / columns() < kFineCell) // of thumbnails: lines as bold as elsewhere would hide the photo
        return draw(thick, faded(theme.color(Ink::Panel), 0.6), 0.7);
    const double scale = std::clamp(place.width() / columns() / 14, 0.5, 1.0);
    draw(thick, faded(theme.color(Ink::Text), 0.65), 3 * scale);
    draw(thick, theme.color(Ink::Panel), 1.4 * scale);
}

void TokenPicture::paintOutline(QPainter& painter, const QRectF& place, const std::vector<int>& among, const QColor& color, double width) const
{
    std::vector<QLineF> lines;
    std::vector<bool> chosen(static_cast<std::size_t>(patches()));
    for (const int patch : among)
        chosen[static_cast<std::size_t>(patch)] = true;
    const auto inside = [&](int row, int column) {
        return row >= 0 && row < rows() && column >= 0 && column < columns() && chosen[static_cast<std::size_t>(row * columns() + column)];
    };
    for (const int patch : among) {
        const QRectF cell = patchRect(place, patch);
        const int row = patch / columns(), column = patch % columns();
        if (!inside(row - 1, column))
            lines.emplace_back(cell.topLeft(), cell.topRight());
        if (!inside(row + 1, column))
            lines.emplace_back(cell.bottomLeft(), cell.bottomRight());
        if (!inside(row, column - 1))
            lines.emplace_back(cell.topLeft(), cell.bottomLeft());
        if (!inside(row, column + 1))
            lines.emplace_back(cell.topRight(), cell.bottomRight());
    }
    for (const auto& [ink, pen] : {std::pair(Theme::instance().color(Ink::Panel), width + 2), std::pair(color, width)}) {
        painter.setPen(QPen(ink, pen, Qt::SolidLine, Qt::SquareCap));
        painter.drawLines(lines.data(), static_cast<int>(lines.size()));
    }
}

} // namespace tamis::views
