// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/sample_page.h"

#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/notice_bar.h"
#include "views/common/page_tabs.h"
#include "views/common/theme.h"
#include "views/encoder/missed_latent_model.h"
#include "views/encoder/photo_latent_view.h"
#include "views/encoder/text_latent_view.h"
#include "views/encoder/token_latent_model.h"
#include "views/photos/photo_delegate.h"
#include "views/photos/photo_list.h"
#include "views/photos/photo_model.h"
#include "views/photos/photo_strip.h"
#include "core/report/encoder_recall.h"

#include <QCheckBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QListWidget>
#include <QScrollBar>
#include <QScopedValueRollback>
#include <QSpinBox>
#include <QSplitter>
#include <QStackedWidget>
#include <QTabWidget>
#include <QVBoxLayout>

#include <algorithm>

namespace tamis::views {
namespace {
constexpr std::size_t kMostMissed = 200, kBeginning = 24; ///< latents listed; words of a piece in the list
constexpr int kPiecesHeight = 96, kTablesWidth = 330, kThumbnail = 64;

void prepareTable(CopyableTableView* table, const char* name, const QString& title, QAbstractItemModel* model, const QString& empty)
{
    table->setObjectName(QLatin1String(name));
    table->setAccessibleName(title);
    table->setSourceModel(model);
    table->setEmptyMessage(empty);
    table->setSelectionBehavior(QAbstractItemView::SelectRows);
    table->setSelectionMode(QAbstractItemView::SingleSelection);
    table->sortByColumn(-1, Qt::AscendingOrder);
    auto* bars = new InlineBarDelegate(table);
    const int digit = table->fontMetrics().horizontalAdvance(QLatin1Char('0'));
    for (int at = 0; at < model->columnCount(); ++at) {
        table->setColumnWidth(at, std::max(8 * digit, table->horizontalHeader()->sectionSizeHint(at)));
        if (at > 0)
            table->setItemDelegateForColumn(at, bars);
    }
    table->horizontalHeader()->setStretchLastSection(true);
}
} // namespace

SamplePage::SamplePage(QWidget* parent)
    : QWidget(parent), m_latent(new QSpinBox(this)), m_follow(new QCheckBox(tr("the &strongest of the token"), this)), m_stack(new QStackedWidget(this)), m_views(new QStackedWidget(this)),
      m_samples(new QStackedWidget(this)), m_photo(new PhotoLatentView(this)), m_text(new TextLatentView(this)), m_tokenModel(new TokenLatentModel(this)),
      m_missedModel(new MissedLatentModel(this)), m_tokenTable(new CopyableTableView(this)), m_missedTable(new CopyableTableView(this)), m_tables(new PageTabs(this)),
      m_photoModel(new PhotoModel(this)), m_strip(new PhotoStrip(*m_photoModel, this)), m_pieces(new QListWidget(this))
{
    auto* whole = new QVBoxLayout(this);
    whole->setContentsMargins(0, 0, 0, 0);
    m_empty = new PlaceholderPanel(QStringLiteral("photo"), tr("These tokens stand in no photo and no text"), {}, m_stack);
    m_empty->setObjectName(QStringLiteral("sampleEmpty"));
    connect(m_empty, &PlaceholderPanel::actionTriggered, this, &SamplePage::actionRequested);
    m_stack->addWidget(m_empty);
    auto* page = new QWidget(m_stack);
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    column->setSpacing(Theme::kSpacing);
    buildHead(column);
    auto* sides = new QSplitter(Qt::Horizontal, page);
    sides->setChildrenCollapsible(false);
    sides->setHandleWidth(Theme::kSpacing);
    m_views->addWidget(m_photo);
    m_views->addWidget(m_text);
    sides->addWidget(m_views);
    sides->addWidget(buildTables());
    sides->setStretchFactor(0, 1);
    sides->setStretchFactor(1, 0);
    sides->setSizes({3 * kTablesWidth, kTablesWidth});
    column->addWidget(sides, 1);
    buildSamples();
    column->addWidget(m_samples);
    m_stack->addWidget(page);
    whole->addWidget(m_stack);
    connectTables();
    setPlaces(nullptr, {});
}

void SamplePage::buildHead(QVBoxLayout* column)
{
    auto* row = new QHBoxLayout;
    auto* title = new QLabel(tr("&Latent"), this);
    title->setBuddy(m_latent);
    m_latent->setObjectName(QStringLiteral("sampleLatent"));
    m_latent->setAccessibleName(tr("Latent that colours the sample"));
    m_latent->setRange(0, 0);
    m_latent->setKeyboardTracking(false);
    m_follow->setObjectName(QStringLiteral("followToken"));
    m_follow->setToolTip(tr("Show the largest latent of each token that is chosen"));
    auto* exports = new ExportButton(this);
    exports->setObjectName(QStringLiteral("exportSample"));
    row->addWidget(title);
    row->addWidget(m_latent);
    row->addWidget(m_follow);
    row->addStretch(1);
    row->addWidget(exports);
    column->addLayout(row);
    connect(exports, &ExportButton::exportRequested, this,
            [this](FigureFormat format) { emit exportRequested(view(), format, view() == m_photo ? QStringLiteral("photo-latents") : QStringLiteral("text-latents")); });
    connect(exports, &ExportButton::copyPictureRequested, this, [this] { copyFigurePicture(*view()); });
    connect(exports, &ExportButton::copyTableRequested, this, [this] { copyFigureTable(*view()); });
    connect(m_latent, &QSpinBox::valueChanged, this, [this](int latent) {
        if (!m_quiet)
            chooseLatent(latent);
    });
    connect(m_follow, &QCheckBox::clicked, this, [this](bool follows) { chooseLatent(follows ? -1 : latent()); });
}

QWidget* SamplePage::buildTables()
{
    m_tables->setObjectName(QStringLiteral("sampleTables"));
    m_tables->setDocumentMode(true);
    prepareTable(m_tokenTable, "tokenLatents", tr("Latents of the token"), m_tokenModel, tr("No latent fires."));
    prepareTable(m_missedTable, "sampleMissed", tr("Latents that are missed most"), m_missedModel, tr("No latent is missed."));
    m_missedTable->setColumnHidden(MissedLatentModel::ShareColumn, true); // for the Recall page, which has the room
    m_tables->addTab(m_tokenTable, tr("Of the token"));
    m_tables->addTab(m_missedTable, tr("Missed most"));
    int width = m_tokenTable->verticalScrollBar()->sizeHint().width() + 4;
    for (int at = 0; at < TokenLatentModel::kColumnCount; ++at)
        width += m_tokenTable->columnWidth(at);
    m_tables->setMinimumWidth(width);
    return m_tables;
}

void SamplePage::buildSamples()
{
    m_strip->list()->setSelectionMode(QAbstractItemView::SingleSelection);
    if (auto* delegate = qobject_cast<PhotoDelegate*>(m_strip->list()->itemDelegate())) { // the photo itself is above
        delegate->setPictureSide(kThumbnail);
        QStyleOptionViewItem option;
        option.font = m_strip->list()->font();
        m_strip->setFixedHeight(delegate->sizeHint(option, {}).height() + m_strip->list()->horizontalScrollBar()->sizeHint().height() + 4);
    }
    m_strip->list()->setObjectName(QStringLiteral("sampleStrip"));
    m_pieces->setObjectName(QStringLiteral("samplePieces"));
    m_pieces->setAccessibleName(tr("Pieces of the text"));
    m_pieces->setTextElideMode(Qt::ElideRight);
    m_samples->addWidget(m_strip);
    m_samples->addWidget(m_pieces);
    connect(m_strip, &PhotoStrip::selectionChanged, this, [this](const QStringList& names) {
        if (!names.isEmpty())
            goToSample(m_photoModel->rowOf(names.front()));
    });
    connect(m_pieces, &QListWidget::currentRowChanged, this, [this](int row) {
        if (!m_quiet)
            goToSample(row);
    });
    for (LatentSampleView* each : {static_cast<LatentSampleView*>(m_photo), static_cast<LatentSampleView*>(m_text)}) {
        connect(each, &LatentSampleView::tokenChosen, this, [this](qlonglong token) {
            setToken(token);
            emit tokenChosen(token);
        });
        connect(each, &LatentSampleView::sampleStepped, this, [this](int by) { goToSample(m_sample + by); });
    }
}

void SamplePage::connectTables()
{
    connect(m_tokenTable, &CopyableTableView::selectedRowsChanged, this, [this](const QList<int>& rows) {
        if (!m_quiet && rows.size() == 1)
            chooseLatent(m_tokenModel->latent(rows.front()));
    });
    connect(m_missedTable, &CopyableTableView::selectedRowsChanged, this, [this](const QList<int>& rows) {
        const auto* missed = m_quiet || rows.size() != 1 ? nullptr : m_missedModel->missed(rows.front());
        if (missed)
            chooseLatent(missed->latent);
    });
    connect(m_tokenTable, &CopyableTableView::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_tokenTable, format, QStringLiteral("token-latents")); });
    connect(m_missedTable, &CopyableTableView::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_missedTable, format, QStringLiteral("missed-latents")); });
}

LatentSampleView* SamplePage::view() const { return m_places && m_places->photos() ? static_cast<LatentSampleView*>(m_photo) : m_text; }

void SamplePage::setEmptyState(const QString& text, const QString& action)
{
    m_empty->setText(text);
    m_empty->setAction(action);
}

void SamplePage::setPlaces(std::shared_ptr<const report::TokenPlaces> places, const std::vector<QImage>& photos)
{
    if (places && places == m_places)
        return;
    const QScopedValueRollback quiet(m_quiet, true);
    m_places = std::move(places);
    m_photos = photos;
    m_latents.reset();
    m_sample = -1;
    m_chosen = -1;
    m_stack->setCurrentIndex(m_places ? 1 : 0);
    m_pieces->clear();
    std::vector<PhotoEntry> entries;
    if (m_places && m_places->photos()) {
        for (const auto& sample : m_places->samples)
            entries.push_back({.name = QString::fromStdString(sample.name), .path = QString::fromStdString(sample.name), .credit = {}});
    } else if (m_places) {
        for (const auto& sample : m_places->samples) {
            QString beginning;
            for (std::size_t i = 0; i < std::min(kBeginning, sample.words.size()); ++i)
                beginning += QString::fromStdString(sample.words[i]);
            auto* item = new QListWidgetItem(beginning.simplified() + QStringLiteral("…"), m_pieces);
            item->setToolTip(QString::fromStdString(sample.name));
        }
    }
    m_photoModel->setPhotos(std::move(entries));
    for (std::size_t i = 0; m_places && i < std::min(m_photos.size(), m_places->samples.size()); ++i)
        m_photoModel->setThumbnail(QString::fromStdString(m_places->samples[i].name), m_photos[i]);
    m_views->setCurrentWidget(view());
    m_samples->setCurrentIndex(view() == m_photo ? 0 : 1);
    m_samples->setFixedHeight(view() == m_photo ? m_strip->height() : kPiecesHeight);
    m_photo->setSample(nullptr, 0);
    m_text->setSample(nullptr, 0);
    showSample();
    showLatents();
}

void SamplePage::setToken(std::int64_t token)
{
    m_token = token;
    showSample();
    showLatents();
}

void SamplePage::showSample()
{
    const auto sample = m_places ? report::sampleOf(*m_places, m_token) : std::nullopt;
    const int now = sample ? static_cast<int>(*sample) : -1;
    if (now != m_sample) {
        m_sample = now;
        view()->setSample(sample ? m_places : nullptr, sample.value_or(0));
        m_photo->setPhoto(now >= 0 && static_cast<std::size_t>(now) < m_photos.size() ? m_photos[static_cast<std::size_t>(now)] : QImage());
        const QScopedValueRollback quiet(m_quiet, true);
        if (now >= 0 && view() == m_photo)
            m_strip->setSelection({QString::fromStdString(m_places->samples[static_cast<std::size_t>(now)].name)});
        else if (view() == m_text)
            m_pieces->setCurrentRow(now);
    }
    view()->setToken(m_token);
}

void SamplePage::setLatents(std::shared_ptr<const report::SampleLatents> latents)
{
    m_latents = std::move(latents);
    showLatents();
}

std::int32_t SamplePage::latent() const
{
    if (m_chosen >= 0)
        return m_chosen;
    const int at = view()->current();
    if (!m_latents || m_sample < 0 || m_latents->first != m_places->samples[static_cast<std::size_t>(m_sample)].first || at < 0 || static_cast<std::size_t>(at) >= m_latents->exact.size())
        return -1;
    const auto& exact = m_latents->exact[static_cast<std::size_t>(at)];
    return exact.empty() ? -1 : exact.front().latent;
}

void SamplePage::chooseLatent(std::int32_t latent)
{
    m_chosen = latent;
    showLatents();
}

void SamplePage::showLatents()
{
    const QScopedValueRollback quiet(m_quiet, true);
    const bool own = m_latents && m_sample >= 0 && m_latents->first == m_places->samples[static_cast<std::size_t>(m_sample)].first;
    view()->setLatents(own ? m_latents : nullptr);
    const std::int32_t shown = latent();
    view()->setLatent(shown);
    m_tokenModel->setToken(own ? m_latents : nullptr, view()->current(), m_cut);
    const auto select = [](CopyableTableView* table, const QModelIndex& row) {
        if (row.isValid())
            table->selectRow(table->fromSource(row).row());
        else
            table->clearSelection();
    };
    const int row = m_tokenModel->rowOf(shown);
    select(m_tokenTable, row >= 0 ? m_tokenModel->index(row, 0) : QModelIndex());
    int missed = -1;
    for (int at = 0; at < m_missedModel->rowCount() && missed < 0; ++at)
        if (m_missedModel->missed(at)->latent == shown)
            missed = at;
    select(m_missedTable, missed >= 0 ? m_missedModel->index(missed, 0) : QModelIndex());
    m_latent->setValue(std::max(shown, 0));
    m_follow->setChecked(m_chosen < 0);
}

void SamplePage::setReport(std::shared_ptr<const report::EncoderReport> report)
{
    m_report = std::move(report);
    {
        const QScopedValueRollback quiet(m_quiet, true);
        m_latent->setMaximum(m_report ? static_cast<int>(std::max<std::int64_t>(m_report->latents - 1, 0)) : 0);
    }
    showMissed();
    showLatents();
}

void SamplePage::showMissed()
{
    const QScopedValueRollback quiet(m_quiet, true);
    m_missedModel->setMissed(!m_report ? std::vector<report::MissedLatent>() : report::hasCoarseRanks(*m_report) ? report::missedAtCut(*m_report, m_cut, kMostMissed) : m_report->missed);
}

void SamplePage::setCut(std::int64_t cut)
{
    m_cut = std::max<std::int64_t>(cut, 1);
    m_photo->setCut(m_cut);
    m_text->setCut(m_cut);
    showMissed();
    showLatents();
}

/// The token at the same place of another sample.
void SamplePage::goToSample(int sample)
{
    if (!m_places || sample < 0 || sample >= static_cast<int>(m_places->samples.size()) || sample == m_sample)
        return;
    const auto& to = m_places->samples[static_cast<std::size_t>(sample)];
    const std::int64_t at = m_sample >= 0 ? m_token - m_places->samples[static_cast<std::size_t>(m_sample)].first : 0;
    const std::int64_t token = to.first + std::clamp<std::int64_t>(at, 0, to.count - 1);
    setToken(token);
    emit tokenChosen(token);
}

void SamplePage::setStale(bool stale)
{
    m_photo->setStale(stale);
    m_text->setStale(stale);
}

void SamplePage::setCaption(const QString& settings)
{
    m_photo->setCaption(settings);
    m_text->setCaption(settings);
    m_tokenTable->setCaption(settings);
    m_missedTable->setCaption(settings);
}

} // namespace tamis::views
