// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/attention/attention_training_page.h"

#include "views/common/elided_label.h"
#include "views/common/fitted_scroll_area.h"
#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/parameter_editor.h"
#include "views/common/theme.h"
#include "views/common/training_view.h"

#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>

namespace tamis::views {

AttentionTrainingPage::AttentionTrainingPage(QWidget* parent)
    : QWidget(parent), m_parameters(new ParameterEditor(this)), m_training(new TrainingView({.suffix = QStringLiteral("OfAttention"),
                                                                                            .chart = QStringLiteral("attentionTraining"),
                                                                                            .picture = QStringLiteral("attention-training"),
                                                                                            .emptyChart = tr("Losses appear here while the model is trained around its attention."),
                                                                                            .notTrained = tr("The model was not trained around this attention here."),
                                                                                            .trainHelp = tr("Trains the model around the attention that stands in it"),
                                                                                            .finishHelp = tr("Ends training and keeps the best so far")},
                                                                                           this)),
      m_samples(new ElidedLabel(this, QStringLiteral("attentionTrainingSamples"), Ink::Text)), m_outcome(new QLabel(this)), m_save(new QPushButton(tr("Save what was trained…"), this)),
      m_open(new QPushButton(tr("Open what was trained…"), this))
{
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, Theme::kSpacing, 0, 0);
    row->setSpacing(Theme::kSpacing);
    auto* left = new QVBoxLayout;
    auto* scroll = new FittedScrollArea(this);
    scroll->setWidget(m_parameters);
    scroll->setSizePolicy(QSizePolicy::Minimum, QSizePolicy::Expanding);
    left->addWidget(scroll, 1);
    auto* on = new QHBoxLayout;
    auto* choose = new QPushButton(themedIcon(QStringLiteral("open")), tr("&Train on…"), this);
    choose->setObjectName(QStringLiteral("chooseAttentionTrainingSamples"));
    choose->setToolTip(tr("Photos or text; other ones than are looked at. Labels beside a folder of photos (labels.tsv) are used"));
    on->addWidget(choose);
    on->addWidget(m_samples, 1);
    left->addLayout(on);
    row->addLayout(left);
    auto* right = new QVBoxLayout;
    right->addWidget(m_training, 1);
    m_outcome->setObjectName(QStringLiteral("attentionTrainingOutcome"));
    m_outcome->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_outcome->setWordWrap(true);
    right->addWidget(m_outcome);
    auto* files = new QHBoxLayout;
    files->addStretch(1);
    m_save->setObjectName(QStringLiteral("saveTrainedAttention"));
    m_open->setObjectName(QStringLiteral("openTrainedAttention"));
    files->addWidget(m_save);
    files->addWidget(m_open);
    right->addLayout(files);
    row->addLayout(right, 1);
    connect(m_parameters, &ParameterEditor::valueEdited, this, &AttentionTrainingPage::parameterEdited);
    connect(choose, &QPushButton::clicked, this, &AttentionTrainingPage::samplesRequested);
    connect(m_training, &TrainingView::trainRequested, this, &AttentionTrainingPage::trainRequested);
    connect(m_training, &TrainingView::finishRequested, this, &AttentionTrainingPage::finishRequested);
    connect(m_training, &TrainingView::cancelRequested, this, &AttentionTrainingPage::cancelRequested);
    connect(m_training, &TrainingView::exportRequested, this, &AttentionTrainingPage::exportRequested);
    connect(m_save, &QPushButton::clicked, this, &AttentionTrainingPage::saveRequested);
    connect(m_open, &QPushButton::clicked, this, &AttentionTrainingPage::openRequested);
    setSamples({});
    setOutcome({});
    setSaveReason({});
    setOpenReason({});
}

void AttentionTrainingPage::setSchema(const ParameterSchema& schema) { m_parameters->setSchema(schema); }
void AttentionTrainingPage::setParameters(const Parameters& parameters) { m_parameters->setValues(parameters); }

void AttentionTrainingPage::setSamples(const QString& path)
{
    m_samples->setText(path.isEmpty() ? tr("nothing chosen") : QFileInfo(path).fileName());
    m_samples->setToolTip(path);
}

void AttentionTrainingPage::setOutcome(const QString& lines)
{
    m_outcome->setText(lines);
    m_outcome->setVisible(!lines.isEmpty());
}

void AttentionTrainingPage::setSaveReason(const QString& reason)
{
    m_save->setEnabled(reason.isEmpty());
    m_save->setToolTip(reason.isEmpty() ? tr("Weights and choices as a safetensors file; run attention.* --tuned takes it too") : tr("Not now: %1").arg(reason));
}

void AttentionTrainingPage::setOpenReason(const QString& reason)
{
    m_open->setEnabled(reason.isEmpty());
    m_open->setToolTip(reason.isEmpty() ? tr("For the model that is open, from the safetensors file it was saved to") : tr("Not now: %1").arg(reason));
}

void AttentionTrainingPage::setCaption(const QString& settings) { m_training->setCaption(settings); }

} // namespace tamis::views
